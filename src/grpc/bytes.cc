#include "grpc/bytes.h"

#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <grpc/grpc.h>
#include <grpcpp/support/slice.h>

#include "base/compression.h"

namespace bascule::grpc_front {
namespace {

// How the message came. Its class does not say, but promises that it is one pointer to this.
grpc_compression_algorithm compression_of(const grpc::ByteBuffer& message) {
  const grpc_byte_buffer* raw = nullptr;
  static_assert(sizeof(grpc::ByteBuffer) == sizeof(const grpc_byte_buffer*));
  // NOLINTNEXTLINE(bugprone-*): a pointer is what is read
  std::memcpy(static_cast<void*>(&raw), &message, sizeof raw);
  return raw == nullptr ? GRPC_COMPRESS_NONE : raw->data.raw.compression;
}

Result<protocol::RequestBody> unpacked(const grpc::ByteBuffer& message, Compression compression,
                                       std::size_t limit) {
  grpc::Slice packed;
  if (!message.DumpToSingleSlice(&packed).ok()) return invalid_argument("The message could not be read.");
  BASCULE_ASSIGN(std::vector<std::byte> bytes,
                 decompress(std::as_bytes(std::span(packed.begin(), packed.size())), compression, limit));
  const auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return protocol::RequestBody{.bytes = *owner, .owner = owner};
}

// Below this, a copy costs less than the owners of the pieces.
constexpr std::size_t kSmallReply = 4096;

}  // namespace

Result<protocol::RequestBody> body_of(const grpc::ByteBuffer& message, std::size_t limit) {
  switch (compression_of(message)) {
    case GRPC_COMPRESS_NONE: break;
    case GRPC_COMPRESS_GZIP: return unpacked(message, Compression::kGzip, limit);
    case GRPC_COMPRESS_DEFLATE: return unpacked(message, Compression::kDeflate, limit);
    default:
      return invalid_argument("The message's compression is not known here; use gzip, deflate or none.");
  }
  auto slice = std::make_shared<grpc::Slice>();
  if (!message.TrySingleSlice(slice.get()).ok() && !message.DumpToSingleSlice(slice.get()).ok()) {
    return invalid_argument("The message could not be read.");
  }
  const auto bytes = std::as_bytes(std::span(slice->begin(), slice->size()));
  return protocol::RequestBody{.bytes = bytes, .owner = std::move(slice)};
}

grpc::ByteBuffer buffer_of(protocol::ReplyBody reply) {
  if (reply.size() <= kSmallReply) {
    for (const auto& part : reply.parts) {
      reply.head.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    return buffer_of(reply.head);
  }
  // One owner for all the pieces, shared by their slices: each gives its share back when gRPC is done with
  // it.
  const auto shared = std::make_shared<const protocol::ReplyBody>(std::move(reply));
  std::vector<grpc::Slice> slices;
  const auto add = [&](const void* data, std::size_t size) {
    if (size == 0) return;
    using Share = std::shared_ptr<const protocol::ReplyBody>;
    auto share = std::make_unique<Share>(shared);
    slices.emplace_back(
        const_cast<void*>(data), size,  // NOLINT(cppcoreguidelines-pro-type-const-cast): it is only read
        [](void* user) { const std::unique_ptr<Share> last(static_cast<Share*>(user)); }, share.release());
  };
  add(shared->head.data(), shared->head.size());
  for (const auto& part : shared->parts) add(part.data(), part.size());
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer buffer_of(const std::string& message) {
  const grpc::Slice slice(message);
  return {&slice, 1};
}

grpc::Status status_of(const Error& error, protocol::Dialect dialect) {
  return {static_cast<grpc::StatusCode>(protocol::grpc_status(error, dialect)),
          protocol::error_text(error, dialect)};
}

}  // namespace bascule::grpc_front

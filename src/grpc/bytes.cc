#include "grpc/bytes.h"

#include <memory>
#include <utility>
#include <vector>

#include <grpcpp/support/slice.h>

namespace bascule::grpc_front {

Result<protocol::RequestBody> body_of(const grpc::ByteBuffer& message) {
  auto slice = std::make_shared<grpc::Slice>();
  if (!message.TrySingleSlice(slice.get()).ok() && !message.DumpToSingleSlice(slice.get()).ok()) {
    return invalid_argument(
        "The message could not be read; was it compressed in a way that is not known here?");
  }
  const auto bytes = std::as_bytes(std::span(slice->begin(), slice->size()));
  return protocol::RequestBody{.bytes = bytes, .owner = std::move(slice)};
}

grpc::ByteBuffer buffer_of(protocol::ReplyBody reply) {
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
  if (slices.empty()) slices.emplace_back();  // gRPC takes no message of no slices
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

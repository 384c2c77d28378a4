#include <fmt/format.h>
#include <spng.h>

#include <cstring>
#include <memory>

#include "image/byte_reader.h"
#include "image/decoders.h"
#include "image/png_chunks.h"

namespace bascule::image {
namespace {

constexpr std::size_t kSignatureSize = 8;

// The part of a PNG that makes pixels: what spng is given to read. Text, profiles and the like never reach
// it, so that no compressed note can cost memory and no broken note the picture.
class PixelStream {
 public:
  explicit PixelStream(std::span<const std::byte> bytes)
      : current_(bytes.first(kSignatureSize)), chunks_(bytes) {}

  static int read(spng_ctx* /*ctx*/, void* user, void* to, std::size_t length) {
    return static_cast<PixelStream*>(user)->fill(static_cast<std::byte*>(to), length);
  }

 private:
  int fill(std::byte* to, std::size_t length) {
    while (length > 0) {
      if (current_.empty() && !advance()) return SPNG_IO_EOF;
      const std::size_t part = std::min(length, current_.size());
      std::memcpy(to, current_.data(), part);
      current_ = current_.subspan(part);
      to += part;
      length -= part;
    }
    return SPNG_OK;
  }
  bool advance() {
    while (true) {
      const auto chunk = chunks_.next();
      if (!chunk) return false;
      if (chunk->ancillary) continue;
      current_ = chunk->whole;
      return true;
    }
  }

  std::span<const std::byte> current_;
  PngChunks chunks_;
};

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

Error damaged(int code) {
  return bad_picture(fmt::format("The PNG picture is damaged: {}.", spng_strerror(code)));
}

// The whole file is there, and its compressed data can hold the picture: deflate gains at most 1032 to 1.
Result<void> check_complete(std::span<const std::byte> bytes, const StoredHeader& header,
                            std::uint64_t row_bits) {
  PngChunks chunks(bytes);
  std::uint64_t compressed = 0;
  while (true) {
    BASCULE_ASSIGN(const PngChunk chunk, chunks.next());
    if (chunk.is("IEND")) break;
    if (chunk.is("IDAT")) compressed += chunk.content.size();
  }
  constexpr std::uint64_t kMaxGain = 1032;
  const std::uint64_t least = (1 + (row_bits + 7) / 8) * header.height;
  if (least / kMaxGain <= compressed) return {};
  return bad_picture(fmt::format("The PNG picture is damaged: {} bytes of data cannot hold {} x {} pixels.",
                                 compressed, header.width, header.height));
}

}  // namespace

bool PngChunk::is(const char (&type)[5]) const { return std::memcmp(whole.data() + 4, type, 4) == 0; }

Result<PngChunk> PngChunks::next() {
  const ByteReader reader(bytes_, Order::kBig);
  constexpr std::size_t kFrame = 12;  // length, type, checksum
  const auto length = reader.u32(at_);
  if (!length || bytes_.size() - at_ < kFrame || bytes_.size() - at_ - kFrame < *length) {
    return bad_picture(
        fmt::format("The PNG picture is cut short: its {} bytes end before the picture does. Send "
                    "the whole file.",
                    bytes_.size()));
  }
  PngChunk chunk;
  chunk.whole = bytes_.subspan(at_, kFrame + *length);
  chunk.content = chunk.whole.subspan(8, *length);
  chunk.ancillary = (std::to_integer<unsigned>(chunk.whole[4]) & 0x20U) != 0;  // a lower case letter
  at_ += chunk.whole.size();
  return chunk;
}

Result<StoredHeader> read_png_header(std::span<const std::byte> bytes) {
  PngChunks chunks(bytes);
  BASCULE_ASSIGN(const PngChunk first, chunks.next());
  const ByteReader ihdr(first.content, Order::kBig);
  if (!first.is("IHDR") || ihdr.size() != 13) {
    return bad_picture("The PNG picture is damaged: it does not begin with an IHDR chunk of 13 bytes.");
  }
  StoredHeader header;
  header.width = *ihdr.u32(0);
  header.height = *ihdr.u32(4);
  if (header.width == 0 || header.height == 0) {
    return bad_picture(fmt::format("The PNG picture is damaged: its header says {} x {} pixels.",
                                   header.width, header.height));
  }
  while (true) {  // the note may stand before or behind the pixels; a file cut short there has none
    const auto chunk = chunks.next();
    if (!chunk || chunk->is("IEND")) break;
    if (chunk->is("eXIf")) {
      header.orientation = exif_orientation(chunk->content);
      break;
    }
  }
  return header;
}

Result<void> decode_png(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  const std::unique_ptr<spng_ctx, FreeContext> context(spng_ctx_new(0));
  if (!context) return internal_error("The PNG decoder could not be started.");
  PixelStream stream(bytes);
  int failed = spng_set_png_stream(context.get(), PixelStream::read, &stream);
  if (failed == 0) failed = spng_set_image_limits(context.get(), header.width, header.height);
  spng_ihdr ihdr{};
  if (failed == 0) failed = spng_get_ihdr(context.get(), &ihdr);  // checks depth, colour type and checksum
  if (failed != 0) return damaged(failed);
  constexpr std::uint64_t kChannelsOf[7] = {1, 0, 3, 1, 2, 0, 4};
  BASCULE_TRY(check_complete(
      bytes, header, std::uint64_t{header.width} * ihdr.bit_depth * kChannelsOf[ihdr.color_type % 7U]));
  reshape(out, header);
  failed = spng_decode_image(context.get(), out.pixels.data(), out.pixels.size(), SPNG_FMT_RGB8, 0);
  if (failed == 0) failed = spng_decode_chunks(context.get());  // the end, and its checksum
  if (failed != 0) return damaged(failed);
  return {};
}

}  // namespace bascule::image

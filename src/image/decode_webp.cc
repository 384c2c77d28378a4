#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "image/byte_reader.h"
#include "image/decoders.h"

namespace bascule::image {
namespace {

Error cut_short(std::size_t size) {
  return bad_picture(
      fmt::format("The WebP picture is cut short: its {} bytes end before the picture does. Send "
                  "the whole file.",
                  size));
}

Error damaged(int status) {
  if (status == VP8_STATUS_UNSUPPORTED_FEATURE) {
    return bad_picture("The WebP picture uses a feature that is not offered.");
  }
  return bad_picture(
      "The WebP picture is damaged: its data cannot be decoded to the end. Send the file anew.");
}

const std::uint8_t* data_of(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

constexpr std::size_t kFirstChunk = 12;  // behind "RIFF", size, "WEBP"
constexpr std::uint32_t kAnimationFlag = 0x02;

// Where the file says that it ends: RIFF's own size, odd ones padded.
Result<std::size_t> riff_end(const ByteReader& reader) {
  const auto size = reader.u32(4);
  if (!size || std::uint64_t{*size} + 8 > reader.size()) return cut_short(reader.size());
  return std::size_t{*size} + 8;
}

int orientation_of(const ByteReader& reader) {
  std::size_t at = kFirstChunk;
  while (true) {
    const auto size = reader.u32(at + 4);
    if (!size) return 1;
    if (reader.has(at, "EXIF")) {
      constexpr std::string_view kPrefix("Exif\0\0", 6);  // some writers keep JPEG's
      const std::size_t skip = reader.has(at + 8, kPrefix) && *size >= kPrefix.size() ? kPrefix.size() : 0;
      return exif_orientation(reader.part(at + 8 + skip, *size - skip));
    }
    at += 8 + std::size_t{*size} + (*size & 1U);
  }
}

// A lossy picture spends bits on every macroblock of 16 x 16 pixels: the arithmetic coder's fixed
// probabilities of RFC 6386 (11.2, 11.3) make the cheapest prediction modes cost more than 2. Fewer bytes are
// refused before memory for the pixels is taken. A lossless picture of one colour has no such floor.
Result<void> check_lossy_size(std::size_t bytes, const StoredHeader& header) {
  constexpr std::uint64_t kBitsPerBlock = 2;
  const std::uint64_t blocks =
      (std::uint64_t{header.width} + 15) / 16 * ((std::uint64_t{header.height} + 15) / 16);
  if (std::uint64_t{bytes} * 8 >= blocks * kBitsPerBlock) return {};
  return bad_picture(fmt::format("The WebP picture is damaged: {} bytes cannot hold {} x {} pixels.", bytes,
                                 header.width, header.height));
}

bool is_animation(const ByteReader& reader) {
  return reader.has(kFirstChunk, "VP8X") && (reader.u8(kFirstChunk + 8).value_or(0) & kAnimationFlag) != 0;
}

// The first frame on its canvas, which is black where the frame is transparent or does not reach.
Result<void> decode_first_frame(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  struct Delete {
    void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
  };
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0)
    return internal_error("The WebP decoder could not be started.");
  options.color_mode = MODE_RGBA;
  options.use_threads = 0;
  const WebPData data{data_of(bytes), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, Delete> decoder(WebPAnimDecoderNew(&data, &options));
  WebPAnimInfo info{};
  if (!decoder || WebPAnimDecoderGetInfo(decoder.get(), &info) == 0 || info.canvas_width != header.width ||
      info.canvas_height != header.height) {
    return damaged(VP8_STATUS_BITSTREAM_ERROR);
  }
  std::uint8_t* from = nullptr;
  int when = 0;
  if (WebPAnimDecoderGetNext(decoder.get(), &from, &when) == 0) return damaged(VP8_STATUS_BITSTREAM_ERROR);
  reshape(out, header);
  for (std::size_t i = 0; i < out.pixels.size(); i += 3, from += 4)
    std::memcpy(out.pixels.data() + i, from, 3);
  return {};
}

}  // namespace

Result<StoredHeader> read_webp_header(std::span<const std::byte> bytes) {
  const ByteReader reader(bytes);
  StoredHeader header;
  if (reader.has(kFirstChunk, "VP8X")) {  // the canvas, even where the rest is missing
    const auto flags = reader.u8(kFirstChunk + 8);
    const auto width = reader.u24(kFirstChunk + 12);
    const auto height = reader.u24(kFirstChunk + 15);
    if (!flags || !width || !height) return cut_short(bytes.size());
    header.width = *width + 1;
    header.height = *height + 1;
    header.orientation = orientation_of(reader);
    return header;
  }
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(data_of(bytes), bytes.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) return cut_short(bytes.size());
  if (status != VP8_STATUS_OK) return damaged(status);
  if (features.width <= 0 || features.height <= 0) return damaged(VP8_STATUS_BITSTREAM_ERROR);
  header.width = static_cast<std::uint32_t>(features.width);
  header.height = static_cast<std::uint32_t>(features.height);
  return header;
}

Result<void> decode_webp(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out) {
  BASCULE_ASSIGN(const std::size_t end, riff_end(ByteReader(bytes)));
  if (is_animation(ByteReader(bytes))) return decode_first_frame(bytes.first(end), header, out);
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(data_of(bytes), end, &features);
  if (status != VP8_STATUS_OK) return damaged(status);
  if (static_cast<std::uint32_t>(features.width) != header.width ||
      static_cast<std::uint32_t>(features.height) != header.height) {
    return bad_picture(
        fmt::format("The WebP picture is damaged: its canvas is {} x {} pixels, its picture {} x {}.",
                    header.width, header.height, features.width, features.height));
  }
  constexpr int kLossy = 1;
  if (features.format == kLossy) BASCULE_TRY(check_lossy_size(end, header));
  reshape(out, header);
  if (WebPDecodeRGBInto(data_of(bytes), end, out.pixels.data(), out.pixels.size(),
                        static_cast<int>(out.row_bytes())) == nullptr) {
    return damaged(VP8_STATUS_BITSTREAM_ERROR);
  }
  return {};
}

}  // namespace bascule::image

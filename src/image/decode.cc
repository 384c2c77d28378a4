#include "image/decode.h"

#include <fmt/format.h>

#include <optional>

#include "image/byte_reader.h"
#include "image/decoders.h"

namespace bascule::image {
namespace {

std::optional<Format> sniff(std::span<const std::byte> bytes) {
  const ByteReader reader(bytes);
  if (reader.has(0, "\xFF\xD8\xFF")) return Format::kJpeg;
  if (reader.has(0, "\x89PNG\r\n\x1A\n")) return Format::kPng;
  if (reader.has(0, "RIFF") && reader.has(8, "WEBP")) return Format::kWebp;
  if (reader.has(0, "BM")) return Format::kBmp;
  return std::nullopt;
}

Result<StoredHeader> read_stored_header(std::span<const std::byte> bytes, Format format) {
  switch (format) {
    case Format::kJpeg: return read_jpeg_header(bytes);
    case Format::kPng: return read_png_header(bytes);
    case Format::kWebp: return read_webp_header(bytes);
    case Format::kBmp: return read_bmp_header(bytes);
  }
  return internal_error("A picture format has no reader.");
}

struct Checked {
  Format format;
  StoredHeader header;
};

Result<Checked> read_checked(std::span<const std::byte> bytes, const Limits& limits) {
  if (bytes.empty())
    return bad_picture("The picture is empty: 0 bytes came. Send a JPEG, PNG, WebP or BMP file.");
  const std::optional<Format> format = sniff(bytes);
  if (!format) {
    return bad_picture(fmt::format(
        "The {} bytes are no picture that can be read: they do not begin as JPEG, PNG, WebP or BMP "
        "files do. Convert the picture to one of these.",
        bytes.size()));
  }
  BASCULE_ASSIGN(const StoredHeader header, read_stored_header(bytes, *format));
  const std::uint64_t pixels = std::uint64_t{header.width} * header.height;
  // A side beyond 2^20 would overflow no sum here, but no decoder and no model has use for it either.
  constexpr std::uint32_t kMaxSide = 1U << 20;
  if (pixels > limits.max_pixels || header.width > kMaxSide || header.height > kMaxSide) {
    Error error{
        Code::kPayloadTooLarge,
        fmt::format("The picture has {} x {} = {} pixels; the limit is {}. Send a smaller picture or raise "
                    "--max-pixels.",
                    header.width, header.height, pixels, limits.max_pixels),
        Reason::kBadPicture};
    error.fields.got = std::to_string(pixels);
    error.fields.limit = std::to_string(limits.max_pixels);
    return error;
  }
  return Checked{*format, header};
}

}  // namespace

std::string_view to_string(Format format) {
  switch (format) {
    case Format::kJpeg: return "JPEG";
    case Format::kPng: return "PNG";
    case Format::kWebp: return "WebP";
    case Format::kBmp: return "BMP";
  }
  return "unknown";
}

Error bad_picture(std::string message) { return invalid_argument(std::move(message), Reason::kBadPicture); }

void reshape(Bitmap& bitmap, const StoredHeader& header) {
  bitmap.height = static_cast<int>(header.height);
  bitmap.width = static_cast<int>(header.width);
  bitmap.pixels.resize(bitmap.row_bytes() * header.height);
}

Result<Header> read_header(std::span<const std::byte> bytes, const Limits& limits) {
  BASCULE_ASSIGN(const Checked checked, read_checked(bytes, limits));
  Header header;
  header.format = checked.format;
  header.orientation = checked.header.orientation;
  header.height = static_cast<int>(checked.header.height);
  header.width = static_cast<int>(checked.header.width);
  if (header.orientation >= 5) std::swap(header.height, header.width);
  return header;
}

Result<void> decode(std::span<const std::byte> bytes, const Limits& limits, Bitmap& out) {
  BASCULE_ASSIGN(const Checked checked, read_checked(bytes, limits));
  switch (checked.format) {
    case Format::kJpeg: BASCULE_TRY(decode_jpeg(bytes, checked.header, out)); break;
    case Format::kPng: BASCULE_TRY(decode_png(bytes, checked.header, out)); break;
    case Format::kWebp: BASCULE_TRY(decode_webp(bytes, checked.header, out)); break;
    case Format::kBmp: BASCULE_TRY(decode_bmp(bytes, checked.header, out)); break;
  }
  apply_orientation(out, checked.header.orientation);
  return {};
}

}  // namespace bascule::image

#include "image/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "content/picture.h"
#include "image/byte_reader.h"
#include "image/decoders.h"

namespace bascule::image {
namespace {

// One line per format: how its files begin, and its pair of functions.
struct Decoder {
  Format format;
  std::string_view name;
  bool (*begins)(const ByteReader& reader);
  Result<StoredHeader> (*read_header)(std::span<const std::byte> bytes);
  Result<void> (*decode)(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
};

// Whether an ISO base media file (AVIF, HEIC, videos) names one of these brands: the box ftyp has the major
// one, a number, and any more (ISO/IEC 14496-12, 4.3).
bool has_brand(const ByteReader& reader, std::initializer_list<std::string_view> brands) {
  if (!reader.has(4, "ftyp")) return false;
  constexpr std::size_t kMostBrands = 64;
  const ByteReader big(reader.part(0, reader.size()), Order::kBig);
  const std::size_t end = std::min<std::size_t>({*big.u32(0), reader.size(), 8 + 4 * kMostBrands});
  for (std::size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {
    if (std::ranges::any_of(brands, [&](std::string_view brand) { return reader.has(at, brand); }))
      return true;
  }
  return false;
}

using namespace std::string_view_literals;  // "…"sv may hold zeros
constexpr std::array<Decoder, 8> kDecoders = {{
    {Format::kJpeg, "JPEG", [](const ByteReader& r) { return r.has(0, "\xFF\xD8\xFF"); }, read_jpeg_header,
     decode_jpeg},
    {Format::kPng, "PNG", [](const ByteReader& r) { return r.has(0, "\x89PNG\r\n\x1A\n"); }, read_png_header,
     decode_png},
    {Format::kWebp, "WebP", [](const ByteReader& r) { return r.has(0, "RIFF") && r.has(8, "WEBP"); },
     read_webp_header, decode_webp},
    {Format::kBmp, "BMP", [](const ByteReader& r) { return r.has(0, "BM"); }, read_bmp_header, decode_bmp},
    {Format::kTiff, "TIFF",
     [](const ByteReader& r) {
       return r.has(0, "II*\0"sv) || r.has(0, "MM\0*"sv) || r.has(0, "II+\0"sv) || r.has(0, "MM\0+"sv);
     },
     read_tiff_header, decode_tiff},
    {Format::kGif, "GIF", [](const ByteReader& r) { return r.has(0, "GIF87a") || r.has(0, "GIF89a"); },
     read_gif_header, decode_gif},
    {Format::kAvif, "AVIF", [](const ByteReader& r) { return has_brand(r, {"avif", "avis"}); },
     read_avif_header, decode_avif},
    {Format::kHeic, "HEIC",
     [](const ByteReader& r) {
       return has_brand(r, {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"});
     },
     read_heic_header, decode_heic},
}};

// A codestream of JPEG 2000, or one in the box structure of its files (ISO/IEC 15444-1, A.4.1 and I.5.1).
bool is_jpeg_2000(const ByteReader& reader) {
  return reader.has(0, "\xFF\x4F\xFF\x51") || reader.has(0, "\0\0\0\x0CjP  \r\n\x87\n"sv);
}

Result<const Decoder*> find_decoder(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return bad_picture(
        fmt::format("The picture is empty: 0 bytes came. Send a file of {}.", content::kPictureFormats));
  }
  const ByteReader reader(bytes);
  const auto* found = std::ranges::find_if(kDecoders, [&](const Decoder& d) { return d.begins(reader); });
  if (found != kDecoders.end()) return found;
  if (is_jpeg_2000(reader)) {
    return bad_picture(
        "The picture is JPEG 2000, which is not offered. Convert it to PNG, which loses nothing, or to "
        "JPEG.");
  }
  return bad_picture(
      fmt::format("The {} bytes are no picture that can be read: they do not begin as files of {} do. "
                  "Convert the picture "
                  "to one of these.",
                  bytes.size(), content::kPictureFormats));
}

struct Checked {
  const Decoder* decoder;
  StoredHeader header;
};

Result<Checked> read_checked(std::span<const std::byte> bytes, const Limits& limits) {
  BASCULE_ASSIGN(const Decoder* const decoder, find_decoder(bytes));
  BASCULE_ASSIGN(const StoredHeader header, decoder->read_header(bytes));
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
  return Checked{decoder, header};
}

// The largest of 8, 4, 2 and 1 that leaves each side `least` pixels.
std::uint32_t fraction_for(const StoredHeader& header, content::PictureSize least) {
  for (const std::uint32_t fraction : {8U, 4U, 2U}) {
    if (std::cmp_greater_equal(header.height / fraction, std::max(least.height, 1)) &&
        std::cmp_greater_equal(header.width / fraction, std::max(least.width, 1)))
      return fraction;
  }
  return 1;
}

// What is left over at the right and below moves with the picture as it is turned.
Extent turned_extent(const Extent& stored, const Bitmap& bitmap, int orientation) {
  const double right = bitmap.width - stored.width;
  const double below = bitmap.height - stored.height;
  const bool swapped = orientation >= 5;
  Extent out{.height = swapped ? stored.width : stored.height,
             .width = swapped ? stored.height : stored.width};
  if (orientation == 3 || orientation == 4) out.top = below;
  if (orientation == 7 || orientation == 8) out.top = right;
  if (orientation == 2 || orientation == 3) out.left = right;
  if (orientation == 6 || orientation == 7) out.left = below;
  return out;
}

}  // namespace

std::string_view to_string(Format format) {
  const auto* found = std::ranges::find(kDecoders, format, &Decoder::format);
  return found == kDecoders.end() ? "unknown" : found->name;
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
  header.format = checked.decoder->format;
  header.orientation = checked.header.orientation;
  header.height = static_cast<int>(checked.header.height);
  header.width = static_cast<int>(checked.header.width);
  if (header.orientation >= 5) std::swap(header.height, header.width);
  return header;
}

Result<void> decode(std::span<const std::byte> bytes, const Limits& limits, Bitmap& out) {
  BASCULE_ASSIGN(const Checked checked, read_checked(bytes, limits));
  BASCULE_TRY(checked.decoder->decode(bytes, checked.header, out));
  apply_orientation(out, checked.header.orientation);
  return {};
}

Result<Extent> decode_at_least(std::span<const std::byte> bytes, const Limits& limits,
                               content::PictureSize least, Bitmap& out) {
  BASCULE_ASSIGN(const Checked checked, read_checked(bytes, limits));
  if (checked.decoder->format != Format::kJpeg) {
    BASCULE_TRY(decode(bytes, limits, out));
    return whole_of(out);
  }
  const StoredHeader& header = checked.header;
  if (header.orientation >= 5) std::swap(least.height, least.width);
  const std::uint32_t fraction = fraction_for(header, least);
  BASCULE_TRY(decode_jpeg_fraction(bytes, header, fraction, out));
  const Extent stored{.height = static_cast<double>(header.height) / fraction,
                      .width = static_cast<double>(header.width) / fraction};
  const Extent turned = turned_extent(stored, out, header.orientation);
  apply_orientation(out, header.orientation);
  return turned;
}

}  // namespace bascule::image

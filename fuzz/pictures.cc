#include "image/decode.h"
#include "targets.h"

namespace bascule::fuzz {
namespace {

constexpr std::uint64_t kMaxPixels = 1U << 20;
constexpr std::size_t kLongest = std::size_t{64} * 1024;

template <image::Format Format>
bool decode(Bytes bytes) {
  static image::Bitmap bitmap;
  const auto header = image::read_header(bytes, {.max_pixels = kMaxPixels});
  if (!header) {
    check_refusal(header.error(), protocol::Dialect::kUltralytics);
    BASCULE_CHECK(header.error().reason == Reason::kBadPicture);
    return true;
  }
  if (header->format != Format) return false;
  const auto decoded = image::decode(bytes, {.max_pixels = kMaxPixels}, bitmap);
  if (!decoded) {
    check_refusal(decoded.error(), protocol::Dialect::kUltralytics);
    BASCULE_CHECK(decoded.error().reason == Reason::kBadPicture);
    return true;
  }
  BASCULE_CHECK(bitmap.height == header->height && bitmap.width == header->width);
  BASCULE_CHECK(bitmap.pixels.size() == bitmap.row_bytes() * static_cast<std::size_t>(bitmap.height));
  return true;
}

constexpr Target kTargets[] = {
    {"jpeg", decode<image::Format::kJpeg>, kLongest}, {"png", decode<image::Format::kPng>, kLongest},
    {"webp", decode<image::Format::kWebp>, kLongest}, {"bmp", decode<image::Format::kBmp>, kLongest},
    {"tiff", decode<image::Format::kTiff>, kLongest}, {"gif", decode<image::Format::kGif>, kLongest},
    {"avif", decode<image::Format::kAvif>, kLongest}, {"heic", decode<image::Format::kHeic>, kLongest},
};

}  // namespace

std::span<const Target> picture_targets() { return kTargets; }

}  // namespace bascule::fuzz

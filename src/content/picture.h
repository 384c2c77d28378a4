#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bascule::content {

// Height first, as shapes are.
struct PictureSize {
  int height = 0;
  int width = 0;
  bool operator==(const PictureSize&) const = default;
};

// What can be sent as a picture, for messages.
inline constexpr std::string_view kPictureFormats = "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC";

// A picture as it came in: encoded in one of the formats above, not trusted. Or a frame of a video, which was
// decoded to find it: `raw` then is its size, and `bytes` are its pixels, R, G, B in rows without padding.
// `owner` keeps `bytes` alive. Thread-safety: immutable.
struct EncodedPicture {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::string name;  // for messages; may be empty
  std::optional<PictureSize> raw = {};
};

}  // namespace bascule::content

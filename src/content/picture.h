#pragma once

#include <cstddef>
#include <memory>
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

// An encoded picture (one of the formats above) as it came in; not decoded, not trusted. `owner` keeps
// `bytes` alive. Thread-safety: immutable.
struct EncodedPicture {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::string name;  // for messages; may be empty
};

}  // namespace bascule::content

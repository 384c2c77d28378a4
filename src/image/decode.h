#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "content/picture.h"
#include "image/bitmap.h"

namespace bascule::image {

enum class Format { kJpeg, kPng, kWebp, kBmp, kTiff, kGif, kAvif, kHeic };
[[nodiscard]] std::string_view to_string(Format format);

struct Limits {
  std::uint64_t max_pixels = 100'000'000;  // checked against the header, before anything is allocated
};

// What a picture's header says. Height and width are those of the decoded bitmap: after EXIF orientation.
struct Header {
  Format format = Format::kJpeg;
  int height = 0;
  int width = 0;
  int orientation = 1;  // 1 to 8 as EXIF tag 0x0112 has it; where the file says so in its own way, likewise
};

// Reads the header only. Errors: kInvalidArgument with kBadPicture for what is no picture of these formats or
// whose header is broken; kPayloadTooLarge with kBadPicture beyond the limit (the message has both numbers).
Result<Header> read_header(std::span<const std::byte> bytes, const Limits& limits);

// Decodes as OpenCV's imread in colour does, bytes equal: EXIF orientation applied, alpha dropped, the high
// byte of 16 bits (of TIFF: rounded), grey and palettes expanded; then given as R, G, B. Of several frames or
// pages the first; where it is transparent, the background's colour (GIF), black (WebP), colours times alpha
// (TIFF). AVIF and HEIC are turned as their own boxes say; lossy ones differ from OpenCV's and Pillow's by a
// few levels. A damaged or truncated picture is an error, not a half-grey one. `out` is reused: its memory
// grows only when needed. Errors: as read_header; kInvalidArgument with kBadPicture for damaged data.
Result<void> decode(std::span<const std::byte> bytes, const Limits& limits, Bitmap& out);

// The same, but a JPEG comes out at a half, a quarter or an eighth of its sides, by a shorter inverse
// transform of its blocks, as long as no side falls below `least`; a side of a size no fraction divides is
// rounded up. Gives where the picture lies on `out`. Errors: as decode.
Result<Extent> decode_at_least(std::span<const std::byte> bytes, const Limits& limits,
                               content::PictureSize least, Bitmap& out);

}  // namespace bascule::image

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "image/bitmap.h"
#include "image/decode.h"

// Private to this room: one pair of functions per format. decode.cc picks the pair, holds the limit and turns
// the picture.
namespace bascule::image {

// As the file stores it: before the orientation is applied. Both sides are at least 1.
struct StoredHeader {
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  int orientation = 1;
};

// Read the header. What they can refuse without decoding (a file cut short, more pixels than so few bytes can
// hold) is refused by the check_* functions, before the caller allocates.
Result<StoredHeader> read_jpeg_header(std::span<const std::byte> bytes);
Result<StoredHeader> read_png_header(std::span<const std::byte> bytes);
Result<StoredHeader> read_webp_header(std::span<const std::byte> bytes);
Result<StoredHeader> read_bmp_header(std::span<const std::byte> bytes);
Result<StoredHeader> read_tiff_header(std::span<const std::byte> bytes);
Result<StoredHeader> read_gif_header(std::span<const std::byte> bytes);
Result<StoredHeader> read_avif_header(std::span<const std::byte> bytes);
Result<StoredHeader> read_heic_header(std::span<const std::byte> bytes);

// Decode into `out`, whose size they set to the stored one. Precondition: the header came from read_*_header
// on the same bytes and passed the limit.
Result<void> decode_jpeg(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
// The same at 1 / `fraction` of its sides, rounded up; 1, 2, 4 or 8.
Result<void> decode_jpeg_fraction(std::span<const std::byte> bytes, const StoredHeader& header,
                                  std::uint32_t fraction, Bitmap& out);
Result<void> decode_png(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
Result<void> decode_webp(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
Result<void> decode_bmp(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
Result<void> decode_tiff(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
Result<void> decode_gif(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
Result<void> decode_avif(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);
Result<void> decode_heic(std::span<const std::byte> bytes, const StoredHeader& header, Bitmap& out);

// The orientation in a TIFF-structured EXIF block (Exif 2.32, 4.6.2 and 4.6.5): 1 to 8; 1 for whatever is
// absent or broken, because a bad note must not cost the picture.
[[nodiscard]] int exif_orientation(std::span<const std::byte> tiff);

// Turns the decoded picture the way `orientation` says it was held. 5 to 8 swap the sides and need a second
// picture's memory for a moment.
void apply_orientation(Bitmap& bitmap, int orientation);

// Sets the sides and makes room.
void reshape(Bitmap& bitmap, const StoredHeader& header);

// kInvalidArgument, kBadPicture.
[[nodiscard]] Error bad_picture(std::string message);

}  // namespace bascule::image

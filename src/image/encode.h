#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "content/picture.h"
#include "image/bitmap.h"

namespace bascule::image {

// JPEG (4:2:0) at `quality` 1 to 100, and PNG.
Result<std::vector<std::byte>> encode_jpeg(const Bitmap& bitmap, int quality = 90);
Result<std::vector<std::byte>> encode_png(const Bitmap& bitmap);
// Grey, of 8 or 16 bits: one value for each pixel, rows from above.
Result<std::vector<std::byte>> encode_grey_png(std::span<const std::uint8_t> values,
                                               content::PictureSize size);
Result<std::vector<std::byte>> encode_grey_png(std::span<const std::uint16_t> values,
                                               content::PictureSize size);

// Uncompressed, 24 bits: what passes a picture on within the process. Precondition: `bitmap` is whole.
[[nodiscard]] std::vector<std::byte> encode_bmp(const Bitmap& bitmap);

}  // namespace bascule::image

#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "image/bitmap.h"

namespace bascule::image {

// JPEG (4:2:0) at `quality` 1 to 100, and PNG.
Result<std::vector<std::byte>> encode_jpeg(const Bitmap& bitmap, int quality = 90);
Result<std::vector<std::byte>> encode_png(const Bitmap& bitmap);

}  // namespace bascule::image

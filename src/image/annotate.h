#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "content/picture.h"
#include "content/prediction.h"

namespace bascule::image {

// The picture as JPEG with what was found drawn on it: a box and a label for every object, or what its task
// says of it or of its pixels. Errors: as decode.
Result<std::vector<std::byte>> annotate(const content::EncodedPicture& picture, std::uint64_t max_pixels,
                                        const content::Prediction& prediction,
                                        const content::ClassNames& names);

}  // namespace bascule::image

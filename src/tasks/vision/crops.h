#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "content/picture.h"
#include "content/prediction.h"

namespace bascule::tasks::vision {

// What all crops of a picture may hold together, decoded.
inline constexpr std::uint64_t kMaxCropBytes = std::uint64_t{512} << 20U;

// Cuts a picture of each of the rows' boxes out of the picture that they were found in, made larger by
// `margin` of its sides at each side and kept within the picture: at least one pixel, whole pixels, the
// nearest. Each is a BMP, which holds the very pixels that were decoded. Errors: those of image::decode;
// kPayloadTooLarge beyond kMaxCropBytes.
Result<std::vector<content::EncodedPicture>> cut_out(const content::EncodedPicture& picture,
                                                     const content::Detections& found, double margin);

}  // namespace bascule::tasks::vision

#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "content/picture.h"

namespace bascule::tuning {

// The sides of the model's input for each picture, as the reference package's validator chooses them
// (ultralytics 8.4, data/base.py set_rectangle): pictures are put into groups by the shape of their sides,
// and a group's input has room for all of it and half a stride more. `size`: of the longer side, a multiple
// of `stride`.
[[nodiscard]] std::vector<content::PictureSize> judged_inputs(std::span<const content::PictureSize> pictures,
                                                              int size, int stride, std::size_t group = 16);

}  // namespace bascule::tuning

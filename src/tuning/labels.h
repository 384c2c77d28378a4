#pragma once

#include <vector>

#include "content/labels.h"
#include "tuning/average_precision.h"

namespace bascule::tuning {

// The objects of a label file in pixels of its picture.
[[nodiscard]] std::vector<Truth> truths_of(const std::vector<content::Label>& labels,
                                           content::PictureSize picture);

}  // namespace bascule::tuning

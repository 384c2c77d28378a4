#pragma once

#include <cstddef>
#include <span>

#include "content/description.h"

// Private to this room: scores to probabilities.
namespace bascule::tasks::vision {

// What kAuto is for these scores, `classes` of each object: none where all lie in [0, 1] (and, of a
// classifier, add up to 1), else softmax for a classifier (`one_of`) and sigmoid for objects. Others are what
// they are.
[[nodiscard]] content::Activation activation_of(content::Activation said, std::span<const float> scores,
                                                bool one_of);

// The scores of one object, in place. `activation` is not kAuto.
void activate(content::Activation activation, std::span<float> scores);

}  // namespace bascule::tasks::vision

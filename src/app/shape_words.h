#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tensor/shape.h"

// Shapes as people write them: "1x3x640x640".
namespace bascule::app {

// A shape without open dimensions, each at least 1. Errors: kInvalidArgument with a sentence.
[[nodiscard]] Result<tensor::Shape> read_shape(std::string_view words);

// The other way round.
[[nodiscard]] std::string shape_words(const tensor::Shape& shape);

}  // namespace bascule::app

#pragma once

// Private to this folder: a loaded model, as the others know one.

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/openvino/openvino_form.h"
#include "tensor/shape.h"

namespace bascule::backend::openvino {

// The form for one shape of the model's one input.
struct ShapeForm {
  tensor::Shape shape;
  std::unique_ptr<const Form> form;
};

// A run takes the form of its input's shape, else `any`.
[[nodiscard]] std::unique_ptr<Executable> make_executable(std::unique_ptr<const Form> any,
                                                          std::vector<ShapeForm> fixed, ModelSpec spec);

}  // namespace bascule::backend::openvino

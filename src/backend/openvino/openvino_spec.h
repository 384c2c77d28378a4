#pragma once

// Private to this folder: what a compiled model says of its inputs and outputs.

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/openvino/openvino_library.h"

namespace bascule::backend::openvino {

// Reads a compiled model's inputs and outputs, in its order. Errors: kInvalidArgument as the end of a
// sentence ("has the input …") for element types that cannot be served.
Result<void> read_ports(const Library& library, const ov_compiled_model_t* model, ModelSpec& spec);

[[nodiscard]] ov_element_type_e to_openvino(tensor::DataType type);

}  // namespace bascule::backend::openvino

#pragma once

// Private to this folder: tensors to ONNX Runtime's values and back.

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <onnxruntime_cxx_api.h>

#include "backend/backend.h"
#include "backend/onnxruntime/ort_spec.h"

namespace bascule::backend::ort {

// A value over the tensor's own bytes, which must outlive it, where they lie aligned for the element type;
// otherwise (and for strings) over a copy that the value owns. `memory`: the CPU. Errors: kInvalidArgument
// where bytes and shape disagree.
Result<Ort::Value> to_value(const tensor::Tensor& tensor, const Ort::MemoryInfo& memory);

// What an output of the file became. Both tensors for maps, one otherwise.
struct Converted {
  tensor::Tensor values;
  tensor::Tensor labels;
};

// Takes over a value. A tensor of numbers keeps the engine's memory and is not copied, unless it lies inside
// one of `inputs` (an output that is an input): then the caller's memory could end before the answer's.
// `keep` is held by such tensors as well. Errors: kInvalidArgument for a sequence of tensors of unequal
// shapes, or of maps of unequal sizes.
Result<Converted> from_value(Ort::Value value, const OutputPlan& plan,
                             std::span<const tensor::NamedTensor> inputs, std::shared_ptr<const void> keep);

}  // namespace bascule::backend::ort

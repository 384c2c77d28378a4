#pragma once

// Private to this folder: what ONNX Runtime says of a model's inputs and outputs, as a ModelSpec.

#include <cstddef>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>

#include "backend/backend.h"

namespace bascule::backend::ort {

// How an output of the file becomes tensors.
enum class OutputKind : std::uint8_t {
  kTensor,
  kTensorSequence,  // stacked into one tensor with a new first dimension
  kMap,             // two tensors: the values, and the keys under NAME_labels
  kMapSequence,     // the same, one row per map
};

// One output of the file.
struct OutputPlan {
  std::string name;
  OutputKind kind = OutputKind::kTensor;
  tensor::DataType type = tensor::DataType::kFp32;          // of the tensor, or of a map's values
  tensor::DataType label_type = tensor::DataType::kString;  // of a map's keys
};

// One tensor that `run` can give: a part of an output of the file.
struct OutputPart {
  std::size_t plan = 0;  // index into SpecPlan::outputs
  bool labels = false;   // the keys of a map
};

struct SpecPlan {
  ModelSpec spec;
  std::vector<OutputPlan> outputs;
  std::vector<OutputPart> parts;  // as many as spec.outputs, in that order
};

// Reads a session. Errors: kInvalidArgument as the end of a sentence ("has the input …") for element types
// and kinds of values that cannot be served.
Result<SpecPlan> read_spec(const Ort::Session& session);

// The element type; an error as above for those that the v2 protocol lacks.
Result<tensor::DataType> from_onnx(ONNXTensorElementDataType type);
[[nodiscard]] ONNXTensorElementDataType to_onnx(tensor::DataType type);

}  // namespace bascule::backend::ort

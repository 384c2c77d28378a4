#pragma once

// For the leaves of this room: what the engines' interfaces do not tell of an ONNX file.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace bascule::backend {

// What an ONNX file says of itself, read without its weights.
// Thread-safety: a value.
struct OnnxFacts {
  std::map<std::string, std::string> metadata;  // its metadata_props
  // The classes that the classifier in it names, in the order of its scores: `classlabels_strings`,
  // `classlabels_int64s` or `classlabels_ints` of its ONNX-ML operators (onnx/docs/Operators-ml.md), numbers
  // as text. Empty where there is no such list, or where there are several that differ.
  std::vector<std::string> class_labels;
  // Files in which tensors lie, as they are named there, each once.
  std::vector<std::string> weight_files;
  // What was read is all: false where the file is broken, or nested or listed beyond what is looked at. Then
  // `weight_files` may lack some.
  bool whole = false;
};

// Walks over the file's fields, past those that are not asked for here.
[[nodiscard]] OnnxFacts read_onnx_facts(const std::filesystem::path& file);

}  // namespace bascule::backend

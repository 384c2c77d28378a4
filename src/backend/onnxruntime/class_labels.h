#pragma once

// Private to this folder: what the engine's interface does not tell of a file.

#include <filesystem>
#include <string>
#include <vector>

namespace bascule::backend::ort {

// The classes that the classifier in an ONNX file names, in the order of its scores: `classlabels_strings`,
// `classlabels_int64s` or `classlabels_ints` of its ONNX-ML operators (onnx/docs/Operators-ml.md), numbers as
// text. Only the parts of the file on the way there are read. Empty where there is no such list, where there
// are several that differ, or where the file is not what it seems.
[[nodiscard]] std::vector<std::string> read_class_labels(const std::filesystem::path& file);

}  // namespace bascule::backend::ort

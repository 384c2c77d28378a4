#pragma once

// Private to this folder.

#include <filesystem>
#include <map>
#include <string>

namespace bascule::backend::openvino {

// What an .xml says of the model beyond its graph: the values below `rt_info/framework` (what the converter
// found in the original file, such as ONNX metadata) and `rt_info/model_info` (what Model API and exporters
// write), by their last name. Empty where there is nothing, or where the file is no such.
[[nodiscard]] std::map<std::string, std::string> read_ir_facts(const std::filesystem::path& file);

}  // namespace bascule::backend::openvino

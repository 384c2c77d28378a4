#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace bascule::backend {

struct OnnxOptions {
  // Libraries with operators of one's own, built against the engine's onnxruntime_c_api.h. Their code runs in
  // this process: only whoever starts it names them.
  std::vector<std::filesystem::path> custom_op_libraries;
};

// ONNX files through ONNX Runtime on the CPU. Its version, "1.32.0", is `onnxruntime_version()`. A custom-op
// library that cannot be used is an error of each model's load.
std::unique_ptr<Backend> make_onnxruntime_backend(OnnxOptions options = {});
std::string onnxruntime_version();

}  // namespace bascule::backend

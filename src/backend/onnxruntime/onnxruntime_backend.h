#pragma once

#include <memory>

#include "backend/backend.h"

namespace bascule::backend {

// ONNX files through ONNX Runtime on the CPU. Its version, "1.32.0", is `onnxruntime_version()`.
std::unique_ptr<Backend> make_onnxruntime_backend();
std::string onnxruntime_version();

}  // namespace bascule::backend

#pragma once

#include <string>

#include "backend/onnxruntime/onnxruntime_backend.h"
#include "backend/openvino/openvino_backend.h"

namespace bascule::conformance {

// To the process's end: the libraries' own objects may go before others of static life.
inline const backend::Backend& engine_of(const std::string& name) {
  static const auto* const onnxruntime = backend::make_onnxruntime_backend().release();
  static const auto* const openvino = backend::make_openvino_backend().release();
  return name == "openvino" ? *openvino : *onnxruntime;
}

}  // namespace bascule::conformance

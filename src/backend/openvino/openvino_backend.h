#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"

namespace bascule::backend {

struct OpenVinoOptions {
  // Where libopenvino_c lies; empty: beside the libraries of this program, else where the system looks.
  std::filesystem::path folder;
  // Where compiled models are kept, so that the next start need not compile them; made where it is missing.
  // Empty: nowhere. What lies there is loaded as it is: only this program may write there.
  std::filesystem::path cache;
  // What the YAML file beside a model says of it, as flat text; absent: no such file is read.
  std::function<Result<std::map<std::string, std::string>>(const std::filesystem::path&)> read_metadata;
};

// OpenVINO on the CPU: ONNX (.onnx), its own format (.xml with .bin beside it), TensorFlow (saved_model.pb in
// its folder, frozen graphs .pb), TensorFlow Lite (.tflite), Paddle (.pdmodel). The libraries, 97 MB, are
// loaded with the first model. What a file says of itself: ONNX metadata; the `rt_info` of an .xml; a
// metadata.yaml in its folder. INT64 and FP64 are computed in 32 bits, which the spec's notes say; strings,
// sequences and maps are refused. Errors of load: kUnavailable where the library is missing; kInvalidArgument
// for a precision that this processor does not have, and for ONNX weights outside the file's folder.
std::unique_ptr<Backend> make_openvino_backend(OpenVinoOptions options = {});

}  // namespace bascule::backend

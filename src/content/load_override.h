#pragma once

#include <memory>
#include <string>
#include <vector>

#include "content/model_config.h"

namespace bascule::content {

// A file of a model, by its path in the model's folder: "1/model.onnx". Not trusted.
struct OverrideFile {
  std::string path;
  std::string bytes;
};

// What a model is to be loaded with in place of what lies in its folder, until it is loaded without.
// Thread-safety: immutable.
struct LoadOverride {
  std::shared_ptr<const ModelConfig> config;
  std::vector<OverrideFile> files;  // where there are any, none of the folder's are looked at
};

}  // namespace bascule::content

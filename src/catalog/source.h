#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"

namespace bascule::catalog {

// One model version found on disk.
struct ModelSource {
  std::string name;
  std::string version;  // decimal, "1" for plain files
  std::filesystem::path file;
  std::string note;  // something the user should know, e.g. a config.pbtxt that is not read; may be empty
};

// Finds the models that a path given to `bascule serve` means: a model file, a folder of model files, or a
// Triton-style repository (NAME/VERSION/model.EXT, highest version of each name). Names that two files share
// are an error. Errors: kNotFound; kInvalidArgument where nothing fits, and for .pt, .engine, .mar and the
// like with the command that turns them into ONNX.
Result<std::vector<ModelSource>> find_models(const std::vector<std::filesystem::path>& paths,
                                             const backend::Backend& backend);

}  // namespace bascule::catalog

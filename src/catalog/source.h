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

// A path that was given to serve, and the name its model shall have.
// Thread-safety: a value.
struct ModelPath {
  std::filesystem::path path;
  std::string name;  // empty: the file's or folder's own
};

// Finds the models that paths mean: a model file, a folder of model files, or a Triton-style repository
// (NAME/VERSION/model.EXT, highest version of each name).
// Errors: kNotFound; kInvalidArgument where nothing fits, where a name is given to several models or two
// models share one, and for .pt, .engine, .mar and the like with the command that turns them into ONNX.
Result<std::vector<ModelSource>> find_models(const std::vector<ModelPath>& paths,
                                             const backend::Backend& backend);

}  // namespace bascule::catalog

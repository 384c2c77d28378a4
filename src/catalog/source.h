#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "content/model_config.h"

namespace bascule::catalog {

using content::VersionPolicy;
// "latest:N", "all" or "specific:N,N". Errors: kInvalidArgument.
Result<VersionPolicy> parse_version_policy(std::string_view text);

// What tells a changed file from an unchanged one.
// Thread-safety: a value.
struct FileStamp {
  std::uint64_t bytes = 0;
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;  // since 1970
  bool operator==(const FileStamp&) const = default;
};

// Of all that a load reads.
// Thread-safety: a value.
struct SourceStamp {
  FileStamp model;
  FileStamp settings;                  // all zeros where there is no such file
  FileStamp config;                    // likewise
  std::vector<FileStamp> others = {};  // of what Look::also_read names, in that order; zeros likewise
  bool operator==(const SourceStamp&) const = default;
};

// One model version found on disk.
struct ModelSource {
  std::string name;
  std::string version;  // decimal, "1" for plain files
  std::filesystem::path file;
  std::string note;            // something the user should know
  SourceStamp stamp = {};      // as it was found
  std::filesystem::path home;  // the file, or the folder that holds its versions
  // Where the model's own settings would lie: NAME/model.yaml, or yolo.yaml beside yolo.onnx.
  std::filesystem::path settings = {};
  std::size_t given = 0;  // which of the paths led to it
  // What its configuration declares (NAME/config.pbtxt); null where there is none.
  std::shared_ptr<const content::ModelConfig> config = {};
  bool overridden = false;                 // the configuration came with the request to load it
  std::string engine = {};                 // the name of the engine; empty: the one that takes such a file
  std::optional<Error> problem = {};       // why it cannot be served, known before any of it is loaded
  std::shared_ptr<const void> keeps = {};  // files that are there as long as this is
};

// How the configurations of models are read: of the model in a folder; null where it has none. Errors:
// kInvalidArgument; the model is then listed with it, and not served.
using ConfigReader =
    std::function<Result<std::shared_ptr<const content::ModelConfig>>(const std::filesystem::path& folder)>;

// What a YAML file says of a model that is made of others; null where it is about something else. Errors:
// kInvalidArgument.
using EnsembleReader =
    std::function<Result<std::shared_ptr<const content::ModelConfig>>(const std::filesystem::path& file)>;

// What a load reads beside the model's file, its settings and its configuration.
using AlsoRead = std::function<std::vector<std::filesystem::path>(const ModelSource&)>;

// How folders are looked at.
// Thread-safety: a value.
struct Look {
  VersionPolicy versions = {};
  bool versions_win = false;          // over what a model's configuration says of them
  ConfigReader read_config = {};      // absent: configurations are not looked at
  EnsembleReader read_ensemble = {};  // absent: YAML files are not looked at
  AlsoRead also_read = {};            // absent: changes of such files are not seen
};

// A path that was given to serve, and the name its model shall have.
// Thread-safety: a value.
struct ModelPath {
  std::filesystem::path path;
  std::string name;  // empty: the file's or folder's own
};

// The models that paths mean, and what was wrong with some of them.
struct Found {
  std::vector<ModelSource> sources;
  std::vector<Error> problems;  // as find_models gives them, at most one for each path and each name
  // Files in a folder, beside others, that cannot be served as they are called: a sentence each.
  std::vector<std::string> skipped;
};
Found scan_models(const std::vector<ModelPath>& paths, const Look& look, const backend::Backend& backend);

// Finds the models that paths mean: a model file, a folder of model files, or a repository
// (NAME/VERSION/model.EXT). Nothing may be wrong but what scan_models skips.
// Errors: kNotFound; kInvalidArgument where nothing fits, where a name is given to several models or two
// models share one, and for .pt, .engine, .mar and the like with the command that turns them into ONNX.
Result<std::vector<ModelSource>> find_models(const std::vector<ModelPath>& paths,
                                             const backend::Backend& backend, const Look& look = {});

}  // namespace bascule::catalog

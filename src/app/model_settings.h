#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/source.h"
#include "config/option.h"
#include "content/infer.h"
#include "content/model_settings.h"

namespace bascule::app {

// A configuration file as text. Errors: as read_file, beyond 1 MiB too.
Result<std::string> read_yaml(const std::filesystem::path& file);

// The folder to which paths in --config are relative; empty where there is none.
[[nodiscard]] std::filesystem::path config_folder(const config::Values& values);

// One model's settings, and who said what.
// Thread-safety: a value.
struct ReadSettings {
  config::Values values;
  content::ModelSettings settings;
};

// Knows all that the start of the program said about models, and reads what a model's own file says whenever
// it is loaded. Thread-safety: immutable, thread-safe.
class SettingsReader {
 public:
  // `all`: flags, variables, the top level of --config, defaults. `entries`: for each path that a source may
  // have been found by (ModelSource::given) what its entry of `models:` says; a source beyond them has none.
  // `entry_folder`: of the file with that list.
  SettingsReader(config::Values all, std::vector<config::Values> entries, std::filesystem::path entry_folder)
      : all_(std::move(all)), entries_(std::move(entries)), entry_folder_(std::move(entry_folder)) {}

  // Errors: kInvalidArgument with file and line; for a sample of warm_up that leaves its folder.
  Result<ReadSettings> read(const catalog::ModelSource& source) const;

  // The files that a load of the model reads beside those that the source names: weights, the tune file, and
  // the labels and samples that its settings name, as far as these can be read. Some may not be there.
  [[nodiscard]] std::vector<std::filesystem::path> also_read(const catalog::ModelSource& source) const;

 private:
  // What everyone but a tune file said.
  [[nodiscard]] Result<config::Values> said(const catalog::ModelSource& source) const;
  // Where what `said` names lies.
  [[nodiscard]] std::filesystem::path folder_of(const config::Source& said,
                                                const catalog::ModelSource& source) const;
  [[nodiscard]] Result<std::filesystem::path> labels_file(const catalog::ModelSource& source,
                                                          const config::Values& values) const;
  [[nodiscard]] Result<std::vector<std::filesystem::path>> samples(const catalog::ModelSource& source,
                                                                   const config::Values& values) const;
  Result<void> add_labels(const catalog::ModelSource& source, ReadSettings& out) const;

  const config::Values all_;
  const std::vector<config::Values> entries_;
  const std::filesystem::path entry_folder_;
};

// A sample request for warm-up: a v2 request where the file's name ends in .json, else a picture.
// Errors: as read_file and protocol::v2::parse_infer.
Result<content::InferRequest> read_sample(const std::filesystem::path& file);

}  // namespace bascule::app

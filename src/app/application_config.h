#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "applications/judge.h"
#include "applications/look.h"
#include "base/result.h"
#include "config/application_yaml.h"
#include "config/option.h"

namespace bascule::app {

// A file of applications.
// Thread-safety: a value.
struct ApplicationFile {
  std::filesystem::path file;
  std::vector<config::ApplicationYaml> applications;
  std::vector<config::ModelEntry> models;  // its list `models`

  // Where an application's model lies: a path beside the file, or the entry of `models` with that name; as it
  // was said where it is neither.
  [[nodiscard]] std::filesystem::path model_of(const config::ApplicationYaml& application) const;
};

// Reads the file for `bascule app`. Its other keys are those of --config. Errors: kInvalidArgument with file
// and line; where it has no applications.
Result<ApplicationFile> read_application_file(const std::filesystem::path& file);

// Likewise of a server's file; nothing where it has no applications.
Result<std::optional<ApplicationFile>> applications_of(const std::filesystem::path& file);

// What an application's entry means for the parts that it is made of.
[[nodiscard]] applications::JudgeOptions judge_options(const config::ApplicationYaml& application);
// `confidence`: of Judge::lowest_confidence.
[[nodiscard]] applications::LookOptions look_options(const config::ApplicationYaml& application,
                                                     double confidence, std::uint64_t max_pixels);
// The names that it gives its classes; empty where the model does.
[[nodiscard]] content::ClassNames names_of(const config::ApplicationYaml& application);

}  // namespace bascule::app

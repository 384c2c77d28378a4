#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "catalog/source.h"
#include "config/option.h"

namespace bascule::app {

// How the engines are set up.
// Thread-safety: a value.
struct EngineOptions {
  std::vector<std::filesystem::path> custom_op_libraries = {};
  std::filesystem::path openvino = {};   // the folder of its libraries; empty: where the program looks
  std::filesystem::path state_dir = {};  // empty: nothing is kept
};
// Of a command that has the options.
[[nodiscard]] EngineOptions engine_options(const config::Values& values);

// The engines that are there.
// Thread-safety: immutable, thread-safe.
class Engines {
 public:
  explicit Engines(EngineOptions options = {});
  // The one that runs model files: each by the engine that fits.
  [[nodiscard]] const backend::Backend& of_files() const { return *files_; }
  [[nodiscard]] const backend::Backend& of(const catalog::ModelSource& source) const;

 private:
  const std::unique_ptr<backend::Backend> files_;
  const std::unique_ptr<backend::Backend> identity_;
};

// Reads the config.pbtxt of a model's folder. `strict`: one that asks for something that is not done is an
// error.
[[nodiscard]] catalog::ConfigReader config_reader(bool strict);
// Reads YAML files that make a model of others; null for other files.
[[nodiscard]] catalog::EnsembleReader ensemble_reader();
// Errors: kInvalidArgument where something is not done.
Result<void> check_strictly(const content::ModelConfig& config);

// A sentence that names what the configuration asks for and is not done; empty where there is nothing.
[[nodiscard]] std::string not_done_text(const content::ModelConfig& config);

}  // namespace bascule::app

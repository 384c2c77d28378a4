#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "catalog/source.h"
#include "config/option.h"
#include "tuning/candidate.h"

namespace bascule::app {

// What tuning found for one file on one machine.
// Thread-safety: a value.
struct Tuned {
  std::string digest;   // of the model file, SHA-256
  std::string machine;  // as this_machine() names it
  std::string summary;  // one sentence
  tuning::Candidate chosen;
};

// The tune file beside a model, NAME.tune.yaml; empty where it has no place for one.
[[nodiscard]] std::filesystem::path tune_file(const catalog::ModelSource& source);

// Puts it into the tune file beside the model (NAME.tune.yaml), in place of what was found for the same file
// and machine before; below `state_dir` where that folder cannot be written to. Gives the file. Errors: of
// write_file where neither can be written; kInvalidArgument where the file that is there is something else.
Result<std::filesystem::path> write_tuned(const catalog::ModelSource& source,
                                          const std::filesystem::path& state_dir, const Tuned& tuned);

// Sets what the model's tune files say for this very file on this machine, as values of Origin::kTuneFile;
// called when all else was said. Of engine and precision, and of instances and threads, neither is set where
// one of the two was. Whether there was such an entry. Errors: kInvalidArgument with file and line.
Result<bool> apply_tuned(const catalog::ModelSource& source, const std::filesystem::path& state_dir,
                         config::Values& values);

}  // namespace bascule::app

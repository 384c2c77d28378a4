#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "app/model_settings.h"
#include "app/model_trial.h"
#include "tuning/search.h"

namespace bascule::app {

// How a model is tuned.
// Thread-safety: a value.
struct TuneOptions {
  tuning::Goal goal = tuning::Goal::kBoth;
  double max_drop = 0.01;
  Duration time = std::chrono::seconds(30);  // of measurements
  std::filesystem::path state_dir = {};      // for a result that cannot lie beside the model
  std::function<void(double done, std::string_view what)> progress = {};
};

// Finds the fastest way of serving the model. `read`: its settings; what its tune file says counts no more
// than a default, all else stays. Errors: of search().
Result<tuning::Outcome> tune_model(const std::shared_ptr<const Engines>& engines,
                                   const catalog::ModelSource& source, const ReadSettings& read,
                                   TrialInputs inputs, const TuneOptions& options);

// Keeps what was found in the model's tune file, which it gives. Errors: of write_tuned.
Result<std::filesystem::path> keep_outcome(const catalog::ModelSource& source,
                                           const std::filesystem::path& state_dir,
                                           const tuning::Outcome& outcome);

// Tunes each model that has no result for its file on this machine yet, in a few seconds, before it is
// served; says in the log what came out. One that cannot be tuned is served as it is.
void tune_quickly(const std::shared_ptr<const Engines>& engines,
                  const std::vector<catalog::ModelSource>& sources, const SettingsReader& reader,
                  const TrialInputs& inputs, const TuneOptions& options);

}  // namespace bascule::app

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "app/model_config.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "base/timer.h"
#include "catalog/catalog.h"
#include "config/option.h"
#include "metrics/metrics.h"
#include "serving/inference_service.h"

namespace bascule::app {

// What one model is loaded with where there is no server.
// Thread-safety: a value.
struct LocalModelOptions {
  std::uint64_t max_pixels = 0;  // of a picture
  std::size_t cores = 1;         // that compute
  std::size_t width = 1;         // runs at the same time; the cores are shared among them
  EngineOptions engines = {};
};

// The cores that --threads allows, or all.
[[nodiscard]] std::size_t cores_asked(const config::Values& values);

// One model behind the single door, in this process. Requests are done when this goes.
// Thread-safety: `service` is thread-safe, the rest external (one thread at a time).
class LocalModel {
 public:
  // Errors: of find_models and load_model; kInvalidArgument where the path holds more than one model.
  static Result<std::unique_ptr<LocalModel>> open(const std::filesystem::path& file,
                                                  const LocalModelOptions& options);
  LocalModel(std::shared_ptr<const Engines> engines, catalog::Handle model, std::size_t cores);
  ~LocalModel() { executor_.drain(); }
  LocalModel(const LocalModel&) = delete;
  LocalModel& operator=(const LocalModel&) = delete;

  [[nodiscard]] serving::InferenceService& service() { return service_; }
  [[nodiscard]] const content::ModelInfo& info() const { return *model_->info; }
  [[nodiscard]] bool takes_pictures() const { return model_->task != nullptr; }
  [[nodiscard]] const tasks::Task* task() const { return model_->task.get(); }  // null: tensors only
  [[nodiscard]] const backend::Executable& executable() const { return *model_->executable; }

 private:
  const SteadyClock clock_;
  const std::shared_ptr<const Engines> engines_;
  const catalog::Handle model_;
  catalog::Catalog catalog_;
  ThreadPool executor_;
  TimerThread timer_;
  metrics::Metrics metrics_;
  serving::InferenceService service_;
};

}  // namespace bascule::app

#include "serving/control_service.h"

#include <utility>

#include <fmt/format.h>

#include "serving/ensembles.h"

namespace bascule::serving {

using content::ModelState;

namespace {

Error no_model_control() {
  return {.code = Code::kUnavailable,
          .message =
              "This server does not load or unload models on request; start it with "
              "--model-control-mode explicit.",
          .reason = Reason::kNoModelControl};
}

// What an ensemble is made of: names and versions.
std::vector<std::pair<std::string, std::string>> models_of(const content::Ensemble& ensemble) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const content::EnsembleStep& step : ensemble.steps) out.emplace_back(step.model, step.version);
  if (ensemble.crops) {
    out.emplace_back(ensemble.crops->detector, "");
    out.emplace_back(ensemble.crops->classifier, "");
  }
  return out;
}

// Not loaded, but a request would be answered.
bool waits_for_use(const content::ModelStatus& status) {
  return status.on_use && status.state != ModelState::kFailed;
}

}  // namespace

void ControlService::load(const std::string& name, std::shared_ptr<const content::LoadOverride> with,
                          Done done) {
  if (manager_ == nullptr) return done(no_model_control());
  manager_->load(name, std::move(with), std::move(done));
}

void ControlService::unload(const std::string& name, Done done) {
  if (manager_ == nullptr) return done(no_model_control());
  manager_->unload(name, std::move(done));
}

std::vector<std::string> ControlService::ready_versions(std::string_view name) const {
  std::vector<std::string> out;
  for (content::ModelStatus& status : catalog_.list()) {
    if (status.name == name && status.state == ModelState::kReady) out.push_back(std::move(status.version));
  }
  return out;
}

Result<std::shared_ptr<const content::ModelInfo>> ControlService::model(std::string_view name,
                                                                        std::string_view version) const {
  BASCULE_ASSIGN(const catalog::Handle handle, catalog_.pin(name, version));
  return handle->info;
}

Result<content::ServedModel> ControlService::served(std::string_view name, std::string_view version) const {
  BASCULE_ASSIGN(const catalog::Handle handle, catalog_.pin(name, version));
  return content::ServedModel{
      .info = handle->info, .settings = handle->settings, .max_batch_size = handle->max_batch_size};
}

Result<void> ControlService::model_ready(std::string_view name, std::string_view version) const {
  return model_ready(name, version, 0);
}

// Ready means that a request would be answered, which of an ensemble depends on others.
Result<void> ControlService::model_ready(std::string_view name, std::string_view version, int depth) const {
  const Result<catalog::Handle> pinned = catalog_.pin(name, version);
  if (pinned && ((*pinned)->ensemble == nullptr || depth >= Ensembles::kMaxDepth)) return {};
  if (pinned) {
    for (const auto& [model, of] : models_of(*(*pinned)->ensemble)) {
      if (auto ready = model_ready(model, of, depth + 1); !ready) {
        Error error = std::move(ready).error();
        error.message = fmt::format("Ensemble '{}' is not ready: {}", name, error.message);
        error.reason = Reason::kModelNotReady;
        return error;
      }
    }
    return {};
  }
  for (const content::ModelStatus& status : catalog_.list()) {
    if (status.name != name || !(version.empty() || status.version == version)) continue;
    if (waits_for_use(status)) return {};
  }
  return pinned.error();
}

Result<void> ControlService::ready() const {
  const auto not_ready = [](std::string message) {
    return Error{
        .code = Code::kFailedPrecondition, .message = std::move(message), .reason = Reason::kModelNotReady};
  };
  std::size_t ready = 0;
  std::string failure;
  for (const content::ModelStatus& status : catalog_.list()) {
    if (status.state == ModelState::kLoading && !status.on_use) {
      return not_ready(fmt::format("Model '{}' is still loading.", status.name));
    }
    if (status.state == ModelState::kReady || waits_for_use(status)) ++ready;
    if (status.state == ModelState::kFailed && failure.empty()) failure = status.reason;
  }
  if (ready > 0) return {};
  return not_ready(failure.empty() ? "No model is loaded." : "No model is ready. " + failure);
}

}  // namespace bascule::serving

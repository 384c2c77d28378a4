#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/manager.h"
#include "content/model_config.h"
#include "content/model_info.h"

namespace bascule::serving {

// The second entrance: what is loaded and how it does, and changing that; front ends never see the catalog.
// Thread-safety: thread-safe.
class ControlService {
 public:
  using Done = catalog::Manager::Done;

  // `manager`: null where models are not loaded and unloaded on request; else it outlives the service.
  ControlService(const catalog::Catalog& catalog, const Clock& clock, catalog::Manager* manager = nullptr)
      : catalog_(catalog), clock_(clock), manager_(manager), started_(clock.now()) {}

  // Names in order; all states.
  [[nodiscard]] std::vector<content::ModelStatus> models() const { return catalog_.list(); }
  // Versions of one model that serve, ascending.
  [[nodiscard]] std::vector<std::string> ready_versions(std::string_view name) const;
  // Errors as Catalog::pin.
  [[nodiscard]] Result<std::shared_ptr<const content::ModelInfo>> model(std::string_view name,
                                                                        std::string_view version) const;
  // As it is served, for a reply that describes its configuration. Errors as Catalog::pin.
  [[nodiscard]] Result<content::ServedModel> served(std::string_view name, std::string_view version) const;
  // Ready: at least one model serves, or will when a request asks for it, and none is loading unasked. The
  // error says why not.
  [[nodiscard]] Result<void> ready() const;
  // Whether a request to the model would be answered, though it may have to wait for the model to be loaded.
  // Errors as Catalog::pin.
  [[nodiscard]] Result<void> model_ready(std::string_view name, std::string_view version) const;
  // Load, or load anew, `with` in place of what the paths hold where it is not null; unload. They return at
  // once; `done` comes when it is done, on another thread or before this returns. Errors: as Manager::load
  // and unload; kUnavailable with kNoModelControl.
  void load(const std::string& name, std::shared_ptr<const content::LoadOverride> with, Done done);
  void unload(const std::string& name, Done done);
  [[nodiscard]] Duration alive() const { return clock_.now() - started_; }

 private:
  [[nodiscard]] Result<void> model_ready(std::string_view name, std::string_view version, int depth) const;

  const catalog::Catalog& catalog_;
  const Clock& clock_;
  catalog::Manager* const manager_;
  const TimePoint started_;
};

}  // namespace bascule::serving

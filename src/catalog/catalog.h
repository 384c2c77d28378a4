#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "catalog/wide_runs.h"
#include "content/ensemble.h"
#include "content/infer.h"
#include "content/model_info.h"
#include "content/model_settings.h"
#include "tasks/task.h"

namespace bascule::catalog {

// A model version that serves. Immutable; whoever holds the pointer keeps it loaded.
// Thread-safety: immutable, thread-safe.
struct LoadedModel {
  std::shared_ptr<const content::ModelInfo> info;
  std::shared_ptr<const backend::Executable> executable;
  std::shared_ptr<const WideRuns> wide;     // for lone runs; null: they are as all others
  std::shared_ptr<const tasks::Task> task;  // null: tensors only
  // What a run took at load, at the 99th percentile, and the bytes of the inputs it was given: whether a
  // request may run on the thread that read it is decided from these.
  Duration measured_run{};
  std::size_t measured_bytes = 0;
  // Rows of a run that requests may share; 1: each runs alone. What sharing saves of a request's run,
  // measured.
  std::size_t max_batch_size = 1;
  Duration saved_by_sharing{};
  content::ModelSettings settings;
  std::shared_ptr<const content::Ensemble> ensemble;  // where it is made of other models, which run it
};
using Handle = std::shared_ptr<const LoadedModel>;

// What a request finds: the version it pinned, or the name of a model that loads on use and has to be waited
// for. Thread-safety: a value.
struct Use {
  Handle model;
  std::string loads;  // where `model` is null
};

// A model of which at least one version serves, as the choice of what makes room sees it.
// Thread-safety: a value.
struct Usage {
  std::string name;
  std::uint64_t last_use = 0;  // grows from use to use
  bool busy = false;           // a request has pinned it
};

// What is loaded, by name and version.
// Thread-safety: thread-safe.
class Catalog {
 public:
  // `default_model`: what an empty name means; empty: the only model loaded.
  explicit Catalog(std::string default_model) : default_model_(std::move(default_model)) {}

  // A version that serves goes on serving while it loads anew, and when that fails. `on_use`: requests may
  // wait for it to be loaded; see ModelStatus.
  void set_loading(const std::string& name, const std::string& version, bool on_use = false);
  void set_ready(Handle model, std::uint64_t memory_bytes = 0);
  void set_failed(const std::string& name, const std::string& version, std::string reason,
                  bool on_use = false);
  // Serves no more, but is known. Requests that pinned it finish.
  void set_unloaded(const std::string& name, const std::string& version, std::string reason,
                    bool on_use = false);
  // As if it had never been known.
  void forget(const std::string& name, const std::string& version);

  // Pins a version that serves; an empty `version` is the highest. Errors: kNotFound with kUnknownModel or
  // kUnknownVersion; kFailedPrecondition with kModelNotReady and the reason; for an empty name with no
  // default, kInvalidArgument with the names. `needs`: an empty name may only mean a model
  // that takes such content; tensors go into every model.
  Result<Handle> pin(std::string_view name, std::string_view version,
                     content::Kind needs = content::Kind::kTensors) const;

  // As `pin`, and counts as a use of the model. Where no version serves that was asked for, but one loads on
  // use, its name.
  Result<Use> use(std::string_view name, std::string_view version,
                  content::Kind needs = content::Kind::kTensors) const;

  // The models that serve.
  [[nodiscard]] std::vector<Usage> usage() const;

  // Every known version in name order, then version order.
  [[nodiscard]] std::vector<content::ModelStatus> list() const;

 private:
  struct Entry {
    content::ModelStatus status;
    Handle model;  // null unless ready
    mutable std::uint64_t last_use = 0;
    bool no_pictures = false;  // these are known from when it was loaded last
    bool no_rows = false;
  };
  using Versions = std::map<std::uint64_t, Entry>;
  using Index = std::map<std::string, Versions, std::less<>>;

  template <class Change>
  void change(const std::string& name, const std::string& version, Change change_entry);
  // The entry that is meant: one that serves, else one that loads on use where `or_loads`.
  Result<const Entry*> find(const Index& index, std::string_view name, std::string_view version,
                            content::Kind needs, bool or_loads) const;
  static Result<std::string_view> the_only_model(const Index& index, content::Kind needs);
  static Result<const Entry*> pick_version(std::string_view name, const Versions& versions,
                                           std::string_view version, bool or_loads);

  const std::string default_model_;
  Guarded<Index> index_;  // held for a look-up or one insertion, never while a model loads
  mutable std::atomic<std::uint64_t> uses_ = 0;
};

}  // namespace bascule::catalog

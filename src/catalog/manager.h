#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/source.h"

namespace bascule::catalog {

struct ManagerOptions {
  // Looks at what there is to be served, as it is now; called on the loader.
  std::function<Found()> scan;
  // The models that are loaded unasked, at the start and when `rescan` finds them; the others only on
  // request.
  std::function<bool(const std::string& name)> wanted = [](const std::string&) { return true; };
  // Loads and warms up one version; called on the loader.
  std::function<Result<Handle>(const ModelSource& source)> load;
  // After every load, before the catalog knows of it.
  std::function<void(const ModelSource& source, const Result<Handle>& model, Duration took)> loaded;
  std::function<void()> freed;  // after the memory of a model was given back; may be called by any thread
};

// Decides what the catalog holds: loads, reloads and unloads, one at a time on an executor of its own, so
// that no request waits for a loader. A reload loads and warms up the new one, swaps it in, and the old one
// lives until the last request that pinned it has its answer; one that fails leaves what serves in place.
// Models are destroyed on the loader, too, not by whoever lets go of them last. Thread-safety: thread-safe;
// everything but the executor's work returns at once.
class Manager {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  // `catalog` and `loader` outlive the manager, `loader` the catalog too. `loader` has one thread and is
  // drained before the manager goes.
  Manager(ManagerOptions options, const Clock& clock, Catalog& catalog, Executor& loader);

  // Lists what was found in the catalog at once, then loads what is wanted of it. Called once, first. `done`
  // gets the first failure. For this and the following: called on the loader, or by the caller where the
  // loader takes no more work, then with the errors of Executor::post.
  void start(const Found& found, Done done);

  // Looks at the paths again and loads the model's versions anew, changed or not; versions that are not to be
  // served any more go when all of that went well.
  // Errors: kLoadFailed with the code of what went wrong: kNotFound where no path holds the model.
  void load(const std::string& name, Done done);
  // Requests that pinned a version finish. Nothing but `load` brings the model back.
  // Errors: kNotFound with kUnloadFailed.
  void unload(const std::string& name, Done done);

  // Looks at the paths again: loads what is new or changed and wanted, drops what has gone. What it sees
  // change is only believed when the next rescan sees the same, so that a file is not read while it is
  // written. `done` is told whether all was believed; if not, call again after a while.
  void rescan(std::move_only_function<void(bool settled)> done);

 private:
  struct Version {
    SourceStamp loaded;  // of the files when it was last loaded, well or not
    SourceStamp seen;    // at the last scan
    std::filesystem::path file;
  };
  struct Model {
    bool held = false;  // loaded on request only
    bool missing = false;
    std::map<std::string, Version> versions;
  };
  using Sources = std::vector<ModelSource>;

  void post(Done done, std::move_only_function<Result<void>()> work);
  Result<void> load_all(const Sources& sources);
  Result<void> load_named(const std::string& name);
  Result<void> unload_named(const std::string& name);
  bool rescan_now();
  bool update(const std::string& name, const Sources& sources);
  Result<void> load_versions(const Sources& sources);
  Result<void> load_one(const ModelSource& source);
  void drop_others(const std::string& name, const Sources& keep);
  void list_unloaded(const ModelSource& source);
  bool drop_missing(const std::map<std::string, Sources>& found);
  void tell(const Found& found);
  Handle freed_by_loader(Handle model) const;

  const ManagerOptions options_;
  const Clock& clock_;
  Catalog& catalog_;
  Executor& loader_;
  // Touched on the loader alone, which has one thread.
  std::map<std::string, Model> models_;
  std::vector<std::string> told_;  // what was logged last of what is wrong with the files
};

}  // namespace bascule::catalog

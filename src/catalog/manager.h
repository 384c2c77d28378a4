#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/memory.h"
#include "catalog/retired.h"
#include "catalog/sabotage.h"
#include "catalog/source.h"
#include "content/load_override.h"

namespace bascule::catalog {

struct ManagerOptions {
  // Looks at what there is to be served, as it is now; called on the loader.
  std::function<Found()> scan;
  // The models that are loaded unasked, at the start and when `rescan` finds them; the others only on
  // request.
  std::function<bool(const std::string& name)> wanted = [](const std::string&) { return true; };
  // Loads and warms up one version; called on the loader.
  std::function<Result<Handle>(const ModelSource& source)> load;
  // Where the models of a load come from that brings a configuration, or files; called on the loader. Absent:
  // such a load is refused.
  std::function<Result<std::vector<ModelSource>>(const std::string& name, const content::LoadOverride& with)>
      override_sources = {};
  // After every load, before the catalog knows of it.
  std::function<void(const ModelSource& source, const Result<Handle>& model, Duration took)> loaded;
  // After whatever may have changed what serves; called on the loader.
  std::function<void()> changed = [] {};
  std::function<void()> freeing;  // before the memory of models is given back; absent: nothing
  std::function<void()> freed;    // after the memory of a model was given back; may be called by any thread

  // Whether the models that are not wanted are loaded by the first request for them.
  bool load_on_use = false;
  // Bytes that all loaded models may need together; 0: no limit. Under a budget, what does not fit at the
  // start is loaded by the first request for it, and the models used longest ago make room for it.
  std::uint64_t memory_budget = 0;
  // The memory of this process in bytes. What a model needs is by how much that grows while it is loaded and
  // warmed up, and at least the size of its file: an estimate, since requests that run meanwhile grow it too.
  std::function<std::uint64_t()> resident = [] { return std::uint64_t{0}; };
  std::function<void(const std::string& name)> evicted;  // after a model was unloaded to make room

  Sabotage sabotage = Sabotage::kNone;
};

// Decides what the catalog holds: loads, reloads and unloads, one at a time on an executor of its own, so
// that no request waits for a loader. A reload loads and warms up the new one, swaps it in, and the old one
// lives until the last request that pinned it has its answer; one that fails leaves what serves in place.
// Models are destroyed on the loader, too, not by whoever lets go of them last.
// Under a memory budget a load waits until what made room for it is freed, so that there is never more than
// the budget and the one model that loads; a reload keeps the old one beside the new, for that while.
// Thread-safety: thread-safe; everything but the executor's work returns at once.
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
  // Errors: kLoadFailed with the code of what went wrong: kNotFound where no path holds the model,
  // kInvalidArgument where it alone needs more than the memory budget.
  void load(const std::string& name, Done done) { load(name, nullptr, std::move(done)); }
  // `with`, where not null, is in place of what the paths hold until the model is loaded anew: no rescan
  // touches such a model meanwhile. Errors: those of ManagerOptions::override_sources, too.
  void load(const std::string& name, std::shared_ptr<const content::LoadOverride> with, Done done);
  // Requests that pinned a version finish. Nothing but `load` brings the model back, as
  // long as its files are there.
  // Errors: kNotFound with kUnloadFailed.
  void unload(const std::string& name, Done done);
  // Loads a model that the catalog says loads on use, for a request that waits for it. What came of it, the
  // catalog tells; `done` gets the errors of Executor::post only. After a failure nothing is tried again for
  // a while: then `done` is called at once, by the caller.
  void want(const std::string& name, Done done);

  // Looks at the paths again: loads what is new or changed and wanted, drops what has gone. What it sees
  // change is only believed when the next rescan sees the same, so that a file is not read while it is
  // written. `done` is told whether all was believed; if not, call again after a while.
  void rescan(std::move_only_function<void(bool settled)> done);

  // Once the loader was drained: tells those who still wait that the server is shutting down.
  void stop();

 private:
  struct Version {
    SourceStamp loaded;  // of the files when it was last loaded, well or not
    SourceStamp seen;    // at the last scan
    ModelSource source;
    std::uint64_t bytes = 0;  // of memory, as it was last measured
    SourceStamp measured;     // the files of that time
    bool serves = false;
  };
  enum class Wish : std::uint8_t {
    kLoaded,
    kOnUse,  // loaded by the next request for it
    kHeld,   // loaded by `load` alone
  };
  struct Model {
    Wish wish = Wish::kLoaded;
    bool missing = false;
    bool overridden = false;  // it was loaded with an override
    std::map<std::string, Version> versions;
  };
  using Sources = std::vector<ModelSource>;
  // The load of a model, a version at a time; it may have to wait for memory.
  struct Job {
    enum class Kind : std::uint8_t { kFit, kLoad, kUse };  // kFit: nothing makes room for it
    std::string name;
    Kind kind = Kind::kFit;
    bool on_use = false;  // requests may wait for it, now and after a failure
    bool overrides = false;
    Sources sources;
    std::size_t next = 0;
    Result<void> result = {};  // the first failure
    std::shared_ptr<Done> done = {};
  };
  // Requests that wait for a model to be loaded, and the models that shall not be tried again yet.
  struct Wanted {
    std::map<std::string, std::vector<Done>> waiting;
    std::map<std::string, TimePoint> not_before;
  };

  // Runs `work` on the loader, and after it what waited for it.
  Result<void> post(std::move_only_function<void()> work);
  void post(Done done, std::move_only_function<Result<void>()> work);
  Result<void> load_all(const Sources& sources);
  void load_named(const std::string& name, const content::LoadOverride* with, std::shared_ptr<Done> done);
  void load_overridden(const std::string& name, const content::LoadOverride& with,
                       std::shared_ptr<Done> done);
  void queue_load(const std::string& name, Sources sources, bool overrides, std::shared_ptr<Done> done);
  Result<void> unload_named(const std::string& name);
  void load_wanted(const std::string& name);
  void wake(const std::string& name, const Result<void>& result);
  bool rescan_now();
  bool update(const std::string& name, const Sources& sources);
  void update_unloaded(Model& model, const Sources& sources);
  void drop_others(const std::string& name, const Sources& keep);
  bool drop_missing(const std::map<std::string, Sources>& found);
  void tell(const Found& found);

  // The following are in manager_load.cc.
  void begin(Job& job);
  void run_jobs();
  bool advance(Job& job);
  bool load_next(Job& job);
  bool have_room(Job& job, const Version& version, const ModelSource& source);
  bool load_one(Job& job, Version& version, const ModelSource& source);
  void fail(Job& job, const ModelSource& source, const Error& error, Duration took);
  void finish(Job& job);
  void leave_for_use(Job& job);
  [[nodiscard]] bool given_up(const Job& job) const;
  void evict(const std::vector<std::string>& names);
  void list_unloaded(const ModelSource& source, Wish wish);
  void retire(Version& version);
  void bury();
  [[nodiscard]] MemoryNow memory(const Version* but) const;
  [[nodiscard]] Error too_large(const ModelSource& source, std::uint64_t bytes) const;
  [[nodiscard]] static bool serves(const Model& model);
  // Whether models come when they are asked for; then requests wait for one that loads for another reason,
  // too.
  [[nodiscard]] bool comes_on_use() const { return options_.load_on_use || options_.memory_budget > 0; }
  Handle freed_by_loader(Handle model, std::uint64_t bytes);

  const ManagerOptions options_;
  const Clock& clock_;
  Catalog& catalog_;
  Executor& loader_;
  const std::shared_ptr<Retired> retired_ = std::make_shared<Retired>();
  Guarded<Wanted> wanted_;
  // Touched on the loader alone, which has one thread.
  std::map<std::string, Model> models_;
  std::deque<Job> jobs_;
  std::uint64_t leaving_ = 0;      // bytes of models that serve no more and are not freed yet
  std::vector<std::string> told_;  // what was logged last of what is wrong with the files
};

}  // namespace bascule::catalog

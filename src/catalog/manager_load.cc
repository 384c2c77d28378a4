// The part of Manager that loads and frees.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "catalog/manager.h"

namespace bascule::catalog {
namespace {

// After a failure a model that loads on use is not tried again for this long: each try would keep the loader
// from other models.
constexpr Duration kTryAgain = std::chrono::seconds(10);

double to_mb(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

}  // namespace

void Manager::begin(Job& job) {
  for (const ModelSource& source : job.sources) {
    catalog_.set_loading(source.name, source.version, job.on_use);
  }
}

void Manager::run_jobs() {
  while (!jobs_.empty() && advance(jobs_.front())) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    finish(job);
  }
}

// Loads them all, whatever happens to one. False: there is no memory for the next one yet.
bool Manager::advance(Job& job) {
  while (job.next < job.sources.size() && !given_up(job)) {
    if (!load_next(job)) return false;
  }
  return true;
}

bool Manager::given_up(const Job& job) const {
  const auto model = models_.find(job.name);
  return model == models_.end() ||
         (model->second.wish == Wish::kHeld && options_.sabotage != Sabotage::kUseBringsBackUnloaded);
}

bool Manager::load_next(Job& job) {
  const ModelSource source = job.sources[job.next];
  Version& version = models_[job.name].versions[source.version];
  if (job.kind == Job::Kind::kUse && version.serves) {
    ++job.next;
    return true;
  }
  const std::size_t before = job.next;
  if (options_.memory_budget > 0 && !have_room(job, version, source)) return job.next != before;
  if (load_one(job, version, source)) {
    ++job.next;
  } else {
    leave_for_use(job);
  }
  return true;
}

// Whether the version can be loaded now. Where it never can, the job goes on without it.
bool Manager::have_room(Job& job, const Version& version, const ModelSource& source) {
  const bool known = version.bytes > 0 && version.measured == source.stamp;
  const std::uint64_t expected = known ? version.bytes : source.stamp.model.bytes;
  Room room = make_room(memory(nullptr), version.serves ? 0 : expected, job.name);
  if (options_.sabotage == Sabotage::kNeverEvict) room = {.possible = true, .now = true, .evict = {}};
  if (!room.possible || expected > options_.memory_budget) {
    fail(job, source, too_large(source, expected), {});
    ++job.next;
    return false;
  }
  if (room.now) return true;
  if (job.kind == Job::Kind::kFit) {
    if (!version.serves) leave_for_use(job);
    return false;
  }
  evict(room.evict);
  return options_.sabotage == Sabotage::kLoadAnyway;
}

// False: it was loaded and found not to fit beside the others.
bool Manager::load_one(Job& job, Version& version, const ModelSource& source) {
  const bool reload = version.serves;
  if (options_.sabotage == Sabotage::kUnloadBeforeLoaded && reload) {
    retire(version);
    catalog_.set_unloaded(source.name, source.version, "Sabotage.");
  }
  version.loaded = version.seen = source.stamp;
  version.source = source;
  const TimePoint start = clock_.now();
  const std::uint64_t before = options_.resident();
  Result<Handle> model = options_.load(source);
  const std::uint64_t after = options_.resident();
  const Duration took = clock_.now() - start;
  if (!model) {
    fail(job, source, model.error(), took);
    return true;
  }
  const std::uint64_t bytes = std::max(source.stamp.model.bytes, after > before ? after - before : 0);
  Room room{.possible = true, .now = true, .evict = {}};
  if (options_.memory_budget > 0) room = make_room(memory(&version), bytes, job.name);
  const bool fits = job.kind != Job::Kind::kFit || reload || room.now;
  if (!room.possible || !fits) {
    model->reset();
    if (options_.freed) options_.freed();
    if (!version.serves) {
      version.bytes = bytes;
      version.measured = source.stamp;
    }
    if (!room.possible) fail(job, source, too_large(source, bytes), took);
    return !room.possible;
  }
  if (options_.loaded) options_.loaded(source, model, took);
  if (options_.sabotage == Sabotage::kKeepOld && version.serves) return true;
  wanted_.with([&](Wanted& wanted) { wanted.not_before.erase(source.name); });
  retire(version);
  version.bytes = bytes;
  version.measured = source.stamp;
  version.serves = true;
  catalog_.set_ready(freed_by_loader(*std::move(model), bytes), bytes);
  if (options_.sabotage != Sabotage::kNeverEvict) evict(room.evict);
  return true;
}

void Manager::fail(Job& job, const ModelSource& source, const Error& error, Duration took) {
  if (options_.loaded) options_.loaded(source, error, took);
  if (options_.sabotage == Sabotage::kFailureUnloads) {
    retire(models_[source.name].versions[source.version]);
    catalog_.set_unloaded(source.name, source.version, error.message);
  }
  catalog_.set_failed(source.name, source.version, error.message, job.on_use);
  if (!serves(models_[source.name])) {
    wanted_.with([&](Wanted& wanted) { wanted.not_before[source.name] = clock_.now() + kTryAgain; });
  }
  if (job.result) job.result = error;
}

// What is left of the job is not loaded before a request asks for it.
void Manager::leave_for_use(Job& job) {
  Model& model = models_[job.name];
  for (; job.next < job.sources.size(); ++job.next) {
    const ModelSource& source = job.sources[job.next];
    Version& version = model.versions[source.version];
    version.loaded = version.seen = source.stamp;  // no rescan tries it again
    list_unloaded(source, Wish::kOnUse);
    log::info("{} version {}: does not fit into the memory budget beside the others; it loads on first use",
              job.name, source.version);
  }
  if (!serves(model)) model.wish = Wish::kOnUse;
}

void Manager::finish(Job& job) {
  const auto model = models_.find(job.name);
  if (given_up(job)) {
    if (job.result) {
      job.result = Error{.code = Code::kCancelled,
                         .message = fmt::format("Model '{}' was unloaded before it was loaded.", job.name)};
    }
  } else {
    const bool served = serves(model->second);
    if (job.kind == Job::Kind::kLoad && job.result) model->second.overridden = job.overrides;
    if (job.kind == Job::Kind::kLoad && job.result) drop_others(job.name, job.sources);
    model->second.wish = served || !job.on_use ? Wish::kLoaded : Wish::kOnUse;
  }
  if (job.kind == Job::Kind::kUse) wake(job.name, {});
  if (job.done == nullptr) return;
  if (!job.result) {
    job.result.error().reason = Reason::kLoadFailed;
    job.result.error().fields = {.name = job.name};
  }
  (*job.done)(std::move(job.result));
}

void Manager::evict(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    Model& model = models_[name];
    model.wish = Wish::kOnUse;
    for (auto& [key, version] : model.versions) {
      if (!version.serves) continue;
      retire(version);
      catalog_.set_unloaded(name, key, "It was unloaded to make room; it loads again when asked for.", true);
    }
    log::info("{}: unloaded to make room", name);
    if (options_.evicted) options_.evicted(name);
  }
}

void Manager::list_unloaded(const ModelSource& source, Wish wish) {
  models_[source.name].versions[source.version].source = source;
  catalog_.set_unloaded(
      source.name, source.version,
      wish == Wish::kOnUse ? "It is not loaded; it loads on first use." : "Nobody has asked to load it.",
      wish == Wish::kOnUse);
}

bool Manager::serves(const Model& model) {
  return std::ranges::any_of(model.versions, [](const auto& entry) { return entry.second.serves; });
}

// To be followed by taking it out of the catalog.
void Manager::retire(Version& version) {
  if (version.serves) leaving_ += version.bytes;
  version.serves = false;
}

void Manager::bury() {
  if (options_.sabotage == Sabotage::kNeverFree) return;
  if (retired_->empty()) return;
  if (options_.freeing) options_.freeing();
  leaving_ -= retired_->free_all();
  if (options_.freed) options_.freed();
}

MemoryNow Manager::memory(const Version* but) const {
  MemoryNow now{.budget = options_.memory_budget, .loaded = {}, .leaving = leaving_};
  const std::vector<Usage> usage = catalog_.usage();
  for (const auto& [name, model] : models_) {
    Resident resident{.name = name};
    for (const auto& [key, version] : model.versions) {
      if (version.serves && &version != but) resident.bytes += version.bytes;
    }
    if (!serves(model)) continue;
    if (const auto used = std::ranges::find(usage, name, &Usage::name); used != usage.end()) {
      resident.last_use = used->last_use;
      resident.busy = used->busy;
    }
    now.loaded.push_back(std::move(resident));
  }
  return now;
}

Error Manager::too_large(const ModelSource& source, std::uint64_t bytes) const {
  return {
      .code = Code::kInvalidArgument,
      .message = fmt::format("Model '{}' version {} needs about {:.0f} MB of memory, more than the budget "
                             "of {:.0f} MB for all models. Raise memory_budget_mb, or serve a smaller "
                             "model.",
                             source.name, source.version, to_mb(bytes), to_mb(options_.memory_budget))};
}

Handle Manager::freed_by_loader(Handle model, std::uint64_t bytes) {
  const LoadedModel* pointer = model.get();
  const bool anywhere = options_.sabotage == Sabotage::kFreeAnywhere;
  return {pointer, [this, model = std::move(model), bytes, retired = retired_, loader = &loader_,
                    anywhere](const auto*) mutable {
            if (anywhere) return model.reset();
            retired->add(std::move(model), bytes);
            // `this` is there whenever the loader works. A loader that has no place for more will do other
            // work of ours first, which frees it, too; where it works no more, it is freed here.
            const auto posted = loader->post([this] {
              bury();
              run_jobs();
              options_.changed();
            });
            if (!posted && posted.error().code != Code::kResourceExhausted) retired->free_all();
          }};
}

}  // namespace bascule::catalog

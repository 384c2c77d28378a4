#include "catalog/manager.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"

namespace bascule::catalog {
namespace {

constexpr std::size_t kMaxJobs = 256;  // that wait for memory

Error with_reason(Error error, const std::string& name, Reason reason) {
  error.reason = reason;
  error.fields = {.name = name};
  return error;
}

std::map<std::string, std::vector<ModelSource>> by_name(std::vector<ModelSource> sources) {
  std::map<std::string, std::vector<ModelSource>> out;
  for (ModelSource& source : sources) out[source.name].push_back(std::move(source));
  return out;
}

bool holds(const std::vector<ModelSource>& sources, const std::string& version) {
  return std::ranges::find(sources, version, &ModelSource::version) != sources.end();
}

}  // namespace

Manager::Manager(ManagerOptions options, const Clock& clock, Catalog& catalog, Executor& loader)
    : options_(std::move(options)), clock_(clock), catalog_(catalog), loader_(loader) {}

Result<void> Manager::post(std::move_only_function<void()> work) {
  BASCULE_CHECK(loader_.width() == 1);
  return loader_.post([this, work = std::move(work)]() mutable {
    bury();
    work();
    run_jobs();
    options_.changed();
  });
}

void Manager::post(Done done, std::move_only_function<Result<void>()> work) {
  // Shared, so that it survives a refused post.
  auto shared = std::make_shared<Done>(std::move(done));
  auto posted = post([shared, work = std::move(work)]() mutable { (*shared)(work()); });
  if (!posted) (*shared)(std::move(posted));
}

void Manager::start(const Found& found, Done done) {
  for (const ModelSource& source : found.sources) {
    if (options_.wanted(source.name)) catalog_.set_loading(source.name, source.version);
  }
  post(std::move(done), [this, found] {
    tell(found);
    return load_all(found.sources);
  });
}

void Manager::load(const std::string& name, std::shared_ptr<const content::LoadOverride> with, Done done) {
  auto shared = std::make_shared<Done>(std::move(done));
  auto posted = post([this, name, with = std::move(with), shared] { load_named(name, with.get(), shared); });
  if (!posted) (*shared)(std::move(posted));
}

void Manager::unload(const std::string& name, Done done) {
  post(std::move(done), [this, name] { return unload_named(name); });
}

void Manager::want(const std::string& name, Done done) {
  bool too_soon = false;
  bool first = false;
  wanted_.with([&](Wanted& wanted) {
    const auto at = wanted.not_before.find(name);
    too_soon = at != wanted.not_before.end() && clock_.now() < at->second;
    if (too_soon) return;
    std::vector<Done>& waiting = wanted.waiting[name];
    first = waiting.empty();
    waiting.push_back(std::move(done));
  });
  if (too_soon) return done({});
  if (!first) return;
  if (auto posted = post([this, name] { load_wanted(name); }); !posted) wake(name, posted);
}

void Manager::rescan(std::move_only_function<void(bool settled)> done) {
  const auto settled = std::make_shared<bool>(true);
  post([settled, done = std::move(done)](const Result<void>& posted) mutable { done(posted && *settled); },
       [this, settled]() -> Result<void> {
         *settled = rescan_now();
         return {};
       });
}

void Manager::stop() {
  const Error why{.code = Code::kUnavailable, .message = "The server is shutting down."};
  for (Job& job : std::exchange(jobs_, {})) {
    if (job.done != nullptr) (*job.done)(why);
  }
  std::vector<std::string> names;
  wanted_.with([&](const Wanted& wanted) {
    for (const auto& [name, waiting] : wanted.waiting) names.push_back(name);
  });
  for (const std::string& name : names) wake(name, why);
}

// In the order of their names, while they fit.
Result<void> Manager::load_all(const Sources& sources) {
  Result<void> first;
  bool full = false;
  for (const auto& [name, own] : by_name(sources)) {
    Model& model = models_[name];
    const bool wanted = options_.wanted(name);
    if (!wanted || full) {
      model.wish = wanted || options_.load_on_use ? Wish::kOnUse : Wish::kHeld;
      for (const ModelSource& source : own) list_unloaded(source, model.wish);
      continue;
    }
    Job job{.name = name, .sources = own};
    begin(job);
    advance(job);
    full = model.wish == Wish::kOnUse;
    if (!job.result && first) first = std::move(job.result);
  }
  return first;
}

void Manager::load_overridden(const std::string& name, const content::LoadOverride& with,
                              std::shared_ptr<Done> done) {
  Result<Sources> sources = options_.override_sources
                                ? options_.override_sources(name, with)
                                : invalid_argument("This server takes no configurations with a load.");
  if (!sources) {
    return (*done)(with_reason(std::move(sources).error(), text::shortened(name), Reason::kLoadFailed));
  }
  queue_load(name, *std::move(sources), true, std::move(done));
}

void Manager::load_named(const std::string& name, const content::LoadOverride* with,
                         std::shared_ptr<Done> done) {
  if (with != nullptr) return load_overridden(name, *with, std::move(done));
  Found found = options_.scan();
  tell(found);
  const auto all = by_name(std::move(found.sources));
  const auto own = all.find(name);
  if (own == all.end()) {
    std::vector<std::string> names;
    for (const auto& [known, sources] : all) names.push_back(known);
    const auto near = text::nearest(name, names);
    const std::string hint =
        near ? fmt::format("did you mean '{}'?", *near)
        : found.problems.empty()
            ? fmt::format("they hold {}.", text::shortened(fmt::format("{}", fmt::join(names, ", ")), 400))
            : found.problems.front().message;
    return (*done)(with_reason(
        not_found(fmt::format("No path that is served holds a model '{}'; {}", text::shortened(name), hint)),
        text::shortened(name), Reason::kLoadFailed));
  }
  queue_load(name, own->second, false, std::move(done));
}

void Manager::queue_load(const std::string& name, Sources sources, bool overrides,
                         std::shared_ptr<Done> done) {
  if (jobs_.size() >= kMaxJobs) {
    return (*done)(with_reason(
        {.code = Code::kResourceExhausted,
         .message = fmt::format("{} loads wait for memory, the limit. Try again later.", kMaxJobs)},
        name, Reason::kLoadFailed));
  }
  const auto [model, fresh] = models_.try_emplace(name);
  const bool on_use = comes_on_use() && !fresh && model->second.wish != Wish::kHeld;
  model->second.wish = Wish::kLoaded;
  Job& job = jobs_.emplace_back(Job{.name = name,
                                    .kind = Job::Kind::kLoad,
                                    .on_use = on_use,
                                    .overrides = overrides,
                                    .sources = std::move(sources),
                                    .done = std::move(done)});
  begin(job);
}

Result<void> Manager::unload_named(const std::string& name) {
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return with_reason(not_found(fmt::format("There is no model '{}'.", text::shortened(name))),
                       text::shortened(name), Reason::kUnloadFailed);
  }
  model->second.wish = Wish::kHeld;
  model->second.overridden = false;
  for (auto& [version, state] : model->second.versions) {
    retire(state);
    state.source.keeps = nullptr;  // the next load goes back to the paths
    catalog_.set_unloaded(name, version, "It was unloaded on request.");
    log::info("{} version {}: unloaded on request", name, version);
  }
  return {};
}

void Manager::load_wanted(const std::string& name) {
  const auto model = models_.find(name);
  const bool held = model == models_.end() || model->second.wish == Wish::kHeld;
  if (held && options_.sabotage != Sabotage::kUseBringsBackUnloaded) return wake(name, {});
  Job job{.name = name, .kind = Job::Kind::kUse, .on_use = true};
  // The files may have changed since they were last looked at.
  const Found found = model->second.overridden ? Found{} : options_.scan();
  for (auto& [key, version] : model->second.versions) {
    if (version.serves) continue;
    const auto now = std::ranges::find_if(found.sources, [&](const ModelSource& source) {
      return source.name == name && source.version == version.source.version;
    });
    if (now != found.sources.end()) version.source = *now;
    job.sources.push_back(version.source);
  }
  if (job.sources.empty()) return wake(name, {});
  // The highest first: it is what a request without a version means.
  std::ranges::sort(job.sources, std::ranges::greater{},
                    [](const ModelSource& source) { return text::parse_int(source.version).value_or(0); });
  begin(job);
  jobs_.push_back(std::move(job));
}

void Manager::wake(const std::string& name, const Result<void>& result) {
  std::vector<Done> waiting;
  wanted_.with([&](Wanted& wanted) {
    const auto at = wanted.waiting.find(name);
    if (at == wanted.waiting.end()) return;
    waiting = std::move(at->second);
    wanted.waiting.erase(at);
  });
  for (Done& done : waiting) done(result);
}

bool Manager::rescan_now() {
  Found found = options_.scan();
  tell(found);
  const auto all = by_name(std::move(found.sources));
  bool settled = true;
  for (const auto& [name, sources] : all) settled = update(name, sources) && settled;
  return drop_missing(all) && settled;
}

// One model of a rescan; false where the next one shall tell.
bool Manager::update(const std::string& name, const Sources& sources) {
  const auto [at, fresh] = models_.try_emplace(name);
  Model& model = at->second;
  if (model.overridden) return true;
  if (fresh && !options_.wanted(name)) model.wish = options_.load_on_use ? Wish::kOnUse : Wish::kHeld;
  model.missing = false;
  if (model.wish != Wish::kLoaded) {
    update_unloaded(model, sources);
    drop_others(name, sources);
    return true;
  }
  Job job{.name = name, .on_use = comes_on_use()};
  bool settled = true;
  for (const ModelSource& source : sources) {
    Version& version = model.versions[source.version];
    if (version.loaded == source.stamp) continue;
    settled = std::exchange(version.seen, source.stamp) == source.stamp && settled;
    job.sources.push_back(source);
  }
  if (!settled) return false;
  begin(job);
  if (!advance(job)) return false;  // a failure is told, and what serves stays
  const bool all_serve = std::ranges::all_of(
      sources, [&](const ModelSource& source) { return model.versions[source.version].serves; });
  if (all_serve) drop_others(name, sources);
  return true;
}

// What a rescan sees of a model that is not to be loaded now.
void Manager::update_unloaded(Model& model, const Sources& sources) {
  for (const ModelSource& source : sources) {
    const auto [at, fresh] = model.versions.try_emplace(source.version);
    const bool changed = std::exchange(at->second.source, source).stamp != source.stamp;
    if (!fresh && (model.wish != Wish::kOnUse || !changed)) continue;
    // A file that failed may be a better one now.
    wanted_.with([&](Wanted& wanted) { wanted.not_before.erase(source.name); });
    list_unloaded(source, model.wish);
  }
}

// Versions of the model that are not to be served any more.
void Manager::drop_others(const std::string& name, const Sources& keep) {
  auto& versions = models_[name].versions;
  for (auto at = versions.begin(); at != versions.end();) {
    if (holds(keep, at->first)) {
      ++at;
      continue;
    }
    retire(at->second);
    std::error_code code;
    if (std::filesystem::exists(at->second.source.file, code)) {
      catalog_.set_unloaded(name, at->first, "The version policy chose others.");
    } else {
      catalog_.forget(name, at->first);
    }
    log::info("{} version {}: no longer served", name, at->first);
    at = versions.erase(at);
  }
}

// Models whose files have gone, seen twice so: a file may be replaced by removing it first.
bool Manager::drop_missing(const std::map<std::string, Sources>& found) {
  bool settled = true;
  for (auto at = models_.begin(); at != models_.end();) {
    auto& [name, model] = *at;
    if (found.contains(name) || model.overridden) {
      ++at;
    } else if (!std::exchange(model.missing, true)) {
      settled = false;
      ++at;
    } else {
      drop_others(name, {});
      at = models_.erase(at);
    }
  }
  return settled;
}

// What is wrong with the files, when it is not what was told last.
void Manager::tell(const Found& found) {
  std::vector<std::string> all = found.skipped;
  for (const Error& problem : found.problems) all.push_back(problem.message);
  if (all == std::exchange(told_, all)) return;
  for (const std::string& line : all) log::warning("{}", line);
}

}  // namespace bascule::catalog

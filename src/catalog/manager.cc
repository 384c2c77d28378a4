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

void Manager::post(Done done, std::move_only_function<Result<void>()> work) {
  BASCULE_CHECK(loader_.width() == 1);
  // Shared, so that it survives a refused post.
  auto shared = std::make_shared<Done>(std::move(done));
  auto posted = loader_.post([shared, work = std::move(work)]() mutable { (*shared)(work()); });
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

void Manager::load(const std::string& name, Done done) {
  post(std::move(done), [this, name] { return load_named(name); });
}

void Manager::unload(const std::string& name, Done done) {
  post(std::move(done), [this, name] { return unload_named(name); });
}

void Manager::rescan(std::move_only_function<void(bool settled)> done) {
  const auto settled = std::make_shared<bool>(true);
  post([settled, done = std::move(done)](Result<void> posted) mutable { done(posted && *settled); },
       [this, settled]() -> Result<void> {
         *settled = rescan_now();
         return {};
       });
}

Result<void> Manager::load_all(const Sources& sources) {
  Result<void> first;
  for (const auto& [name, own] : by_name(sources)) {
    Model& model = models_[name];
    model.held = !options_.wanted(name);
    if (model.held) {
      std::ranges::for_each(own, [this](const ModelSource& source) { list_unloaded(source); });
    } else if (auto loaded = load_versions(own); !loaded && first) {
      first = std::move(loaded);
    }
  }
  return first;
}

Result<void> Manager::load_named(const std::string& name) {
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
    return with_reason(
        not_found(fmt::format("No path that is served holds a model '{}'; {}", text::shortened(name), hint)),
        text::shortened(name), Reason::kLoadFailed);
  }
  models_[name].held = false;
  if (auto loaded = load_versions(own->second); !loaded) {
    return with_reason(std::move(loaded).error(), name, Reason::kLoadFailed);
  }
  drop_others(name, own->second);
  return {};
}

Result<void> Manager::unload_named(const std::string& name) {
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return with_reason(not_found(fmt::format("There is no model '{}'.", text::shortened(name))),
                       text::shortened(name), Reason::kUnloadFailed);
  }
  model->second.held = true;
  for (const auto& [version, state] : model->second.versions) {
    catalog_.set_unloaded(name, version, "It was unloaded on request.");
    log::info("{} version {}: unloaded on request", name, version);
  }
  return {};
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
  if (fresh) model.held = !options_.wanted(name);
  model.missing = false;
  if (model.held) {
    std::ranges::for_each(sources, [this](const ModelSource& source) { list_unloaded(source); });
    return true;
  }
  Sources changed;
  bool settled = true;
  for (const ModelSource& source : sources) {
    Version& version = model.versions[source.version];
    if (version.loaded == source.stamp) continue;
    settled = std::exchange(version.seen, source.stamp) == source.stamp && settled;
    changed.push_back(source);
  }
  if (!settled) return false;
  if (!changed.empty()) (void)load_versions(changed);  // a failure is told, and what serves stays
  const bool all_serve = std::ranges::all_of(
      sources, [&](const ModelSource& source) { return catalog_.pin(name, source.version).has_value(); });
  if (all_serve) drop_others(name, sources);
  return true;
}

// Loads them all, whatever happens to one. The error is the first.
Result<void> Manager::load_versions(const Sources& sources) {
  for (const ModelSource& source : sources) catalog_.set_loading(source.name, source.version);
  Result<void> first;
  for (const ModelSource& source : sources) {
    if (auto loaded = load_one(source); !loaded && first) first = std::move(loaded);
  }
  return first;
}

Result<void> Manager::load_one(const ModelSource& source) {
  models_[source.name].versions[source.version] = {
      .loaded = source.stamp, .seen = source.stamp, .file = source.file};
  const TimePoint start = clock_.now();
  Result<Handle> model = options_.load(source);
  if (options_.loaded) options_.loaded(source, model, clock_.now() - start);
  if (!model) {
    catalog_.set_failed(source.name, source.version, model.error().message);
    return std::move(model).error();
  }
  catalog_.set_ready(freed_by_loader(*std::move(model)));
  return {};
}

// Versions of the model that are not to be served any more.
void Manager::drop_others(const std::string& name, const Sources& keep) {
  auto& versions = models_[name].versions;
  for (auto at = versions.begin(); at != versions.end();) {
    if (holds(keep, at->first)) {
      ++at;
      continue;
    }
    std::error_code code;
    if (std::filesystem::exists(at->second.file, code)) {
      catalog_.set_unloaded(name, at->first, "The version policy chose others.");
    } else {
      catalog_.forget(name, at->first);
    }
    log::info("{} version {}: no longer served", name, at->first);
    at = versions.erase(at);
  }
}

void Manager::list_unloaded(const ModelSource& source) {
  const auto [at, fresh] = models_[source.name].versions.try_emplace(source.version);
  if (!fresh) return;
  at->second.file = source.file;
  catalog_.set_unloaded(source.name, source.version, "Nobody has asked to load it.");
}

// Models whose files have gone, seen twice so: a file may be replaced by removing it first.
bool Manager::drop_missing(const std::map<std::string, Sources>& found) {
  bool settled = true;
  for (auto at = models_.begin(); at != models_.end();) {
    auto& [name, model] = *at;
    if (found.contains(name)) {
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

Handle Manager::freed_by_loader(Handle model) const {
  const LoadedModel* pointer = model.get();
  return {pointer,
          [model = std::move(model), loader = &loader_, freed = options_.freed](const auto*) mutable {
            // Where the loader takes no more work, the work is destroyed here, and the model with it.
            (void)loader->post([model = std::move(model), freed]() mutable {
              model.reset();
              if (freed) freed();
            });
          }};
}

}  // namespace bascule::catalog

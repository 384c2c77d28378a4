#include "catalog/catalog.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace bascule::catalog {
namespace {

using content::ModelState;

std::uint64_t version_number(std::string_view version) {
  return static_cast<std::uint64_t>(text::parse_int(version).value_or(0));
}

Error not_ready(const content::ModelStatus& status) {
  const std::string why =
      status.state == ModelState::kLoading ? "it is still loading; ask again shortly" : status.reason;
  return {.code = Code::kFailedPrecondition,
          .message = fmt::format("Model '{}' version {} is not ready: {}.", status.name, status.version,
                                 why.ends_with('.') ? why.substr(0, why.size() - 1) : why),
          .reason = Reason::kModelNotReady,
          .fields = {.name = status.name, .got = why}};
}

Error unknown_version(std::string_view name, std::string_view version, std::string known) {
  return {.code = Code::kNotFound,
          .message = fmt::format("Model '{}' has no version '{}'; it has {}.", name, text::shortened(version),
                                 known),
          .reason = Reason::kUnknownVersion,
          .fields = {.name = std::string(name), .expected = std::move(known), .got = std::string(version)}};
}

Error unknown_model(std::string_view name, const std::vector<std::string>& names) {
  const auto near = text::nearest(name, names);
  std::string hint = "no model is loaded";
  if (near) {
    hint = fmt::format("did you mean '{}'?", *near);
  } else if (!names.empty()) {
    hint = fmt::format("known are {}", text::shortened(fmt::format("{}", fmt::join(names, ", ")), 400));
  }
  return {.code = Code::kNotFound,
          .message = fmt::format("There is no model '{}'; {}{}", text::shortened(name), hint,
                                 hint.ends_with('?') ? "" : "."),
          .reason = Reason::kUnknownModel,
          .fields = {.name = text::shortened(name)}};
}

}  // namespace

// Runs `change_entry` on the version's entry; what it gives back is destroyed outside the lock, since
// unloading a model takes time.
template <class Change>
void Catalog::change(const std::string& name, const std::string& version, Change change_entry) {
  const Handle replaced = index_.with([&](Index& index) {
    Entry& entry = index[name][version_number(version)];
    entry.status.name = name;
    entry.status.version = version;
    return change_entry(entry);
  });
}

void Catalog::set_loading(const std::string& name, const std::string& version, bool on_use) {
  change(name, version, [&](Entry& entry) -> Handle {
    if (entry.model != nullptr) return nullptr;
    entry.status.state = ModelState::kLoading;
    entry.status.on_use = on_use;
    return nullptr;
  });
}

void Catalog::set_ready(Handle model, std::uint64_t memory_bytes) {
  const std::shared_ptr<const content::ModelInfo> info = model->info;
  const bool no_pictures = model->task == nullptr;
  const bool no_rows = model->info->rows == nullptr;
  change(info->name, info->version, [&](Entry& entry) {
    entry.status.state = ModelState::kReady;
    entry.status.reason.clear();
    entry.status.on_use = false;
    entry.status.memory_bytes = memory_bytes;
    entry.no_pictures = no_pictures;
    entry.no_rows = no_rows;
    entry.last_use = ++uses_;  // so that what was just loaded is not the first to go
    return std::exchange(entry.model, std::move(model));
  });
}

void Catalog::set_failed(const std::string& name, const std::string& version, std::string reason,
                         bool on_use) {
  change(name, version, [&](Entry& entry) -> Handle {
    const bool serves = entry.model != nullptr;
    entry.status.state = serves ? ModelState::kReady : ModelState::kFailed;
    entry.status.on_use = on_use && !serves;
    entry.status.reason =
        serves ? "What was loaded before still serves; the last reload failed: " + reason : std::move(reason);
    return nullptr;
  });
}

void Catalog::set_unloaded(const std::string& name, const std::string& version, std::string reason,
                           bool on_use) {
  change(name, version, [&](Entry& entry) {
    entry.status.state = ModelState::kUnloaded;
    entry.status.reason = std::move(reason);
    entry.status.on_use = on_use;
    entry.status.memory_bytes = 0;
    return std::exchange(entry.model, nullptr);
  });
}

void Catalog::forget(const std::string& name, const std::string& version) {
  const Handle replaced = index_.with([&](Index& index) -> Handle {
    const auto versions = index.find(name);
    if (versions == index.end()) return nullptr;
    const auto found = versions->second.find(version_number(version));
    if (found == versions->second.end()) return nullptr;
    Handle model = std::move(found->second.model);
    versions->second.erase(found);
    if (versions->second.empty()) index.erase(versions);
    return model;
  });
}

Result<Handle> Catalog::pin(std::string_view name, std::string_view version, content::Kind needs) const {
  return index_.with([&](const Index& index) -> Result<Handle> {
    BASCULE_ASSIGN(const Entry* const entry, find(index, name, version, needs, false));
    return entry->model;
  });
}

Result<Use> Catalog::use(std::string_view name, std::string_view version, content::Kind needs) const {
  return index_.with([&](const Index& index) -> Result<Use> {
    BASCULE_ASSIGN(const Entry* const found, find(index, name, version, needs, true));
    if (found->model == nullptr) return Use{.model = nullptr, .loads = found->status.name};
    found->last_use = ++uses_;
    return Use{.model = found->model, .loads = {}};
  });
}

Result<const Catalog::Entry*> Catalog::find(const Index& index, std::string_view name,
                                            std::string_view version, content::Kind needs,
                                            bool or_loads) const {
  if (name.empty()) name = default_model_;
  if (name.empty()) {
    BASCULE_ASSIGN(name, the_only_model(index, needs));
  }
  const auto found = index.find(name);
  if (found == index.end()) {
    std::vector<std::string> names;
    for (const auto& [known, versions] : index) names.push_back(known);
    return unknown_model(name, names);
  }
  return pick_version(name, found->second, version, or_loads);
}

// A model that loads on use is one of those that may be meant, loaded or not: else what a request without a
// name means would change with what makes room.
Result<std::string_view> Catalog::the_only_model(const Index& index, content::Kind needs) {
  const bool pictures = needs == content::Kind::kPicture;
  const bool rows = needs == content::Kind::kRows;
  const auto fits = [&](const Entry& entry) {
    return (entry.model != nullptr || entry.status.on_use) && !(pictures && entry.no_pictures) &&
           !(rows && entry.no_rows);
  };
  const std::string_view those = pictures ? " that take pictures" : rows ? " that take rows" : "";
  std::vector<std::string_view> fitting;
  for (const auto& [name, versions] : index) {
    for (const auto& [number, entry] : versions) {
      if (fits(entry)) {
        fitting.emplace_back(name);
        break;
      }
    }
  }
  if (fitting.size() == 1) return fitting[0];
  if (fitting.empty()) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("No model{} is ready.", pictures ? " that takes pictures"
                                                                : rows   ? " that takes rows"
                                                                         : ""),
                 .reason = Reason::kModelNotReady};
  }
  return invalid_argument(
      fmt::format("{} models{} are loaded; name one of {} in the path, or start the server "
                  "with --default-model.",
                  fitting.size(), those, fmt::join(fitting, ", ")));
}

Result<const Catalog::Entry*> Catalog::pick_version(std::string_view name, const Versions& versions,
                                                    std::string_view version, bool or_loads) {
  const auto usable = [or_loads](const Entry& entry) {
    return entry.model != nullptr || (or_loads && entry.status.on_use);
  };
  if (!version.empty()) {
    const auto number = text::parse_int(version);
    const auto found =
        number && *number >= 0 ? versions.find(static_cast<std::uint64_t>(*number)) : versions.end();
    if (found == versions.end()) {
      std::vector<std::uint64_t> known;
      for (const auto& [key, entry] : versions) known.push_back(key);
      return unknown_version(name, version, fmt::format("{}", fmt::join(known, ", ")));
    }
    if (!usable(found->second)) return not_ready(found->second.status);
    return &found->second;
  }
  for (auto entry = versions.rbegin(); entry != versions.rend(); ++entry) {
    if (entry->second.model != nullptr) return &entry->second;
  }
  for (auto entry = versions.rbegin(); entry != versions.rend(); ++entry) {
    if (usable(entry->second)) return &entry->second;
  }
  return not_ready(versions.rbegin()->second.status);
}

std::vector<Usage> Catalog::usage() const {
  return index_.with([](const Index& index) {
    std::vector<Usage> out;
    for (const auto& [name, versions] : index) {
      Usage usage{.name = name};
      bool serves = false;
      for (const auto& [number, entry] : versions) {
        if (entry.model == nullptr) continue;
        serves = true;
        usage.last_use = std::max(usage.last_use, entry.last_use);
        usage.busy = usage.busy || entry.model.use_count() > 1;
      }
      if (serves) out.push_back(std::move(usage));
    }
    return out;
  });
}

std::vector<content::ModelStatus> Catalog::list() const {
  return index_.with([](const Index& index) {
    std::vector<content::ModelStatus> out;
    for (const auto& [name, versions] : index) {
      for (const auto& [number, entry] : versions) out.push_back(entry.status);
    }
    return out;
  });
}

}  // namespace bascule::catalog

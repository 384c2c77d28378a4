#include "app/tune_file.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/model_settings.h"
#include "app/options.h"
#include "app/shape_words.h"
#include "backend/backend.h"
#include "base/cpu.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;
using config::Option;

constexpr std::string_view kKey = "tuned";
constexpr std::size_t kMaxEntries = 64;
constexpr std::array<std::string_view, 9> kSettings = {"engine",    "precision",    "instances",
                                                       "threads",   "lone_threads", "max_batch_size",
                                                       "letterbox", "decode",       "shapes"};

// Settings that were found together and make sense together: where someone says the second, what was found
// for the first is not used either.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTogether = {
    {{"engine", "precision"},
     {"precision", "engine"},
     {"instances", "threads"},
     {"threads", "instances"},
     {"lone_threads", "threads"},
     {"lone_threads", "instances"}}};

bool said_elsewhere(const config::Values& values, std::string_view name) {
  return values.source(name).origin > config::Origin::kTuneFile;
}

bool other_said_elsewhere(const config::Values& values, std::string_view name) {
  return std::ranges::any_of(
      kTogether, [&](const auto& pair) { return pair.first == name && said_elsewhere(values, pair.second); });
}

// An entry's keys: what it is for, and the settings of the model's table.
const std::vector<Option>& entry_options() {
  static const std::vector<Option> all = [] {
    std::vector<Option> out = {{.name = "model_sha256", .text = "The file it was found for."},
                               {.name = "machine", .text = "Where it was found."},
                               {.name = "summary", .text = "What was found."}};
    for (const Option& option : tables().model) {
      if (std::ranges::find(kSettings, option.name) != kSettings.end()) out.push_back(option);
    }
    return out;
  }();
  return all;
}

fs::path in_state(const fs::path& state_dir, const std::string& digest) {
  return state_dir / "tuned" / (digest + ".yaml");
}

Result<std::vector<config::Values>> read_entries(const fs::path& file) {
  BASCULE_ASSIGN(const std::string yaml, read_yaml(file));
  return config::read_yaml_list(std::string(kKey), entry_options(), yaml, file.string());
}

std::string text_or(const config::Values& values, std::string_view name) {
  return values.has(name) ? values.text(name) : std::string();
}

std::string entry_text(const config::Values& entry) {
  std::string out;
  for (const Option& option : entry_options()) {
    if (!entry.has(option.name)) continue;
    const std::string joined = fmt::format("{}", fmt::join(entry.items(option.name), ", "));
    const std::string value = option.max_items > 0 ? "[" + joined + "]" : joined;
    const bool setting = std::ranges::find(kSettings, option.name) != kSettings.end();
    out += fmt::format("{} {}: {}\n", out.empty() ? "  -" : "   ", option.name,
                       setting ? value : text::json_quoted(value));
  }
  return out;
}

const Option& entry_option(std::string_view name) {
  return *std::ranges::find(entry_options(), name, &Option::name);
}

Result<config::Values> values_of(const Tuned& tuned) {
  const tuning::Candidate& chosen = tuned.chosen;
  const std::vector<std::pair<std::string, std::string>> all = {
      {"model_sha256", tuned.digest},
      {"machine", tuned.machine},
      {"summary", tuned.summary},
      {"engine", chosen.engine},
      {"precision", std::string(backend::precision_name(chosen.precision))},
      {"instances", std::to_string(chosen.instances)},
      {"threads", std::to_string(chosen.threads)},
      {"lone_threads", std::to_string(tuning::lone_threads(chosen))},
      {"max_batch_size", std::to_string(chosen.max_batch_size)},
      {"letterbox", chosen.letterbox == content::LetterboxShape::kSquare ? "square" : "rect"},
      {"decode", chosen.decode == content::DecodeMode::kFast ? "fast" : "exact"}};
  config::Values out;
  for (const auto& [name, value] : all) BASCULE_TRY(out.set(entry_option(name), value, {}));
  std::vector<std::string> shapes;
  for (const tensor::Shape& shape : chosen.shapes) shapes.push_back(shape_words(shape));
  if (!shapes.empty()) BASCULE_TRY(out.set_items(entry_option("shapes"), std::move(shapes), {}));
  return out;
}

Result<void> write_entry(const fs::path& file, const config::Values& entry) {
  std::error_code code;
  std::vector<config::Values> entries;
  if (fs::exists(file, code)) {
    BASCULE_ASSIGN(entries, read_entries(file));
  }
  std::erase_if(entries, [&](const config::Values& other) {
    return text_or(other, "model_sha256") == text_or(entry, "model_sha256") &&
           text_or(other, "machine") == text_or(entry, "machine");
  });
  if (entries.size() >= kMaxEntries) entries.erase(entries.begin());
  entries.push_back(entry);
  std::string out =
      "# What `bascule tune` found, for each file and machine. `bascule serve` uses the entry for its own; "
      "settings\n"
      "# given elsewhere for this model go before it, and without this file the defaults count again.\n"
      "tuned:\n";
  for (const config::Values& one : entries) out += entry_text(one);
  return write_file(file, out);
}

// The settings of `entry` that are not said elsewhere.
Result<void> apply_entry(const config::Values& entry, const config::Source& from, config::Values& values) {
  for (const Option& option : entry_options()) {
    if (!entry.has(option.name) || std::ranges::find(kSettings, option.name) == kSettings.end()) continue;
    if (other_said_elsewhere(values, option.name)) continue;
    if (option.max_items > 0) {
      BASCULE_TRY(values.set_items(option, entry.items(option.name), from));
    } else {
      BASCULE_TRY(values.set(option, entry.text(option.name), from));
    }
  }
  return {};
}

Result<bool> apply_from(const fs::path& file, const std::string& digest, const std::string& machine,
                        config::Values& values) {
  BASCULE_ASSIGN(const std::vector<config::Values> entries, read_entries(file));
  for (const config::Values& entry : entries) {
    if (text_or(entry, "model_sha256") != digest || text_or(entry, "machine") != machine) continue;
    BASCULE_TRY(
        apply_entry(entry, {.origin = config::Origin::kTuneFile, .place = file.filename().string()}, values));
    return true;
  }
  return false;
}

}  // namespace

fs::path tune_file(const catalog::ModelSource& source) {
  return source.settings.empty() ? fs::path() : fs::path(source.settings).replace_extension(".tune.yaml");
}

Result<fs::path> write_tuned(const catalog::ModelSource& source, const fs::path& state_dir,
                             const Tuned& tuned) {
  BASCULE_ASSIGN(const config::Values entry, values_of(tuned));
  fs::path file = tune_file(source);
  if (file.empty()) return invalid_argument("The model has no place for a tune file.");
  const Result<void> written = write_entry(file, entry);
  if (written) return file;
  if (state_dir.empty()) {
    return invalid_argument(
        fmt::format("{} Name a folder with --state-dir to keep the result there.", written.error().message));
  }
  fs::path kept = in_state(state_dir, tuned.digest);
  std::error_code code;
  fs::create_directories(kept.parent_path(), code);
  BASCULE_TRY(write_entry(kept, entry));
  return kept;
}

Result<bool> apply_tuned(const catalog::ModelSource& source, const fs::path& state_dir,
                         config::Values& values) {
  std::error_code code;
  const fs::path file = tune_file(source);
  const bool near = !file.empty() && fs::exists(file, code);
  const bool kept = !state_dir.empty() && fs::is_directory(state_dir / "tuned", code);
  if (!near && !kept) return false;
  BASCULE_ASSIGN(const std::string digest, file_digest(source.file));
  const std::string machine = this_machine();
  for (const fs::path& one : {near ? file : fs::path(), kept ? in_state(state_dir, digest) : fs::path()}) {
    if (one.empty() || !fs::exists(one, code)) continue;
    BASCULE_ASSIGN(const bool found, apply_from(one, digest, machine, values));
    if (found) return true;
    log::info("{}: '{}' has no entry for this file on this machine ({}); `bascule tune` makes one",
              source.name, one.filename().string(), machine);
  }
  return false;
}

}  // namespace bascule::app

#include "app/model_settings.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "app/options.h"
#include "app/tune_file.h"
#include "backend/weight_files.h"
#include "base/check.h"
#include "base/file.h"
#include "base/text.h"
#include "protocol/v2/v2.h"

namespace bascule::app {
namespace {

constexpr std::uint64_t kMaxYamlBytes = 1U << 20U;
constexpr std::uint64_t kMaxLabelBytes = 16U << 20U;
constexpr std::uint64_t kMaxSampleBytes = 256ULL << 20U;

// What a model's own file says. Anything may lie there: data sets and other tools have YAML files, too.
Result<void> read_own_file(const std::filesystem::path& file, config::Values& values) {
  std::error_code code;
  if (file.empty() || !std::filesystem::exists(file, code)) return {};
  BASCULE_ASSIGN(const std::string yaml, read_yaml(file));
  Result<void> read = config::apply_model_yaml(tables().model, yaml, file.string(), values);
  if (read) return {};
  return invalid_argument(
      fmt::format("{} '{}' is read as the settings of the model beside it; give it another "
                  "name where it is something else.",
                  read.error().message, file.filename().string()));
}

// What the model's configuration says, as far as it is settings.
Result<void> apply_config(const catalog::ModelSource& source, config::Values& values) {
  const auto origin = source.overridden ? config::Origin::kOverride : config::Origin::kModelConfig;
  for (const content::ConfiguredSetting& setting : source.config->settings) {
    const auto option = std::ranges::find(tables().model, setting.name, &config::Option::name);
    BASCULE_CHECK(option != tables().model.end());
    const config::Source from{.origin = origin, .place = setting.place};
    if (option->max_items > 0) {
      BASCULE_TRY(values.set_items(*option, setting.items, from));
    } else {
      BASCULE_TRY(values.set(*option, setting.items.front(), from));
    }
  }
  return {};
}

// "NAME=VALUE" items of a list, in order.
Result<std::vector<std::pair<std::string, std::string>>> pairs_of(const config::Values& values,
                                                                  const std::string& name) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& item : values.items(name)) {
    const std::size_t sign = item.find('=');
    if (sign == 0 || sign == std::string::npos || sign + 1 == item.size()) {
      return invalid_argument(fmt::format("{}: '{}' is no value of {}; write NAME=VALUE.",
                                          values.source(name).place, text::shortened(item), name));
    }
    out.emplace_back(item.substr(0, sign), item.substr(sign + 1));
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
      if (out[i].first != out.back().first && (name != "state" || out[i].second != out.back().second))
        continue;
      return invalid_argument(
          fmt::format("{}: {} names '{}' twice.", values.source(name).place, name, text::shortened(item)));
    }
  }
  return out;
}

// Whether someone said so, and it is not a default.
bool said(const config::Values& values, std::string_view name) {
  return values.source(name).origin != config::Origin::kDefault;
}

// What the settings say of sequences, over what the model's configuration says.
Result<void> add_sequences(ReadSettings& out) {
  const config::Values& values = out.values;
  BASCULE_ASSIGN(const auto states, pairs_of(values, "state"));
  BASCULE_ASSIGN(const auto initial, pairs_of(values, "initial_state"));
  const bool configured = out.settings.sequences.has_value();
  if (!configured && states.empty()) {
    if (initial.empty()) return {};
    return invalid_argument(
        fmt::format("{}: initial_state is given, but no state.", values.source("initial_state").place));
  }
  content::SequenceBatching& sequences =
      configured ? *out.settings.sequences : out.settings.sequences.emplace();
  if (!configured) sequences.strategy = content::SequenceBatching::Strategy::kOldest;
  if (!configured || said(values, "max_sequence_idle_microseconds")) {
    sequences.max_idle = std::chrono::microseconds(values.integer("max_sequence_idle_microseconds"));
  }
  if (!configured || said(values, "max_candidate_sequences")) {
    sequences.max_candidates = static_cast<std::size_t>(values.integer("max_candidate_sequences"));
    sequences.strategy = content::SequenceBatching::Strategy::kOldest;
  }
  sequences.max_state_bytes = static_cast<std::uint64_t>(values.integer("max_state_mb")) * 1'000'000;
  if (!states.empty()) sequences.states.clear();
  for (const auto& [input, output] : states) sequences.states.push_back({.input = input, .output = output});
  for (const auto& [input, file] : initial) {
    const auto state = std::ranges::find(sequences.states, input, &content::SequenceState::input);
    if (state == sequences.states.end()) {
      return invalid_argument(fmt::format("{}: initial_state names '{}', which is no input of a state.",
                                          values.source("initial_state").place, text::shortened(input)));
    }
    state->initial_file = file;
  }
  return {};
}

}  // namespace

Result<std::string> read_yaml(const std::filesystem::path& file) {
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, kMaxYamlBytes));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::filesystem::path config_folder(const config::Values& values) {
  return values.has("config") ? std::filesystem::path(values.text("config")).parent_path()
                              : std::filesystem::path();
}

Result<config::Values> SettingsReader::said(const catalog::ModelSource& source) const {
  config::Values out = all_;
  if (source.config != nullptr) BASCULE_TRY(apply_config(source, out));
  BASCULE_TRY(read_own_file(source.settings, out));
  if (source.given < entries_.size()) out.merge(entries_[source.given]);
  return out;
}

Result<ReadSettings> SettingsReader::read(const catalog::ModelSource& source) const {
  ReadSettings out;
  BASCULE_ASSIGN(out.values, said(source));
  if (source.engine.empty()) {
    BASCULE_TRY(apply_tuned(source, all_.has("state_dir") ? all_.text("state_dir") : "", out.values));
  }
  BASCULE_ASSIGN(out.settings, to_settings(out.values));
  if (source.config != nullptr) out.settings.sequences = source.config->sequences;
  BASCULE_TRY(add_sequences(out));
  BASCULE_ASSIGN(out.settings.warm_up, samples(source, out.values));
  BASCULE_TRY(add_labels(source, out));
  return out;
}

std::vector<std::filesystem::path> SettingsReader::also_read(const catalog::ModelSource& source) const {
  if (!source.engine.empty()) return {};
  std::vector<std::filesystem::path> out = backend::weight_files(source.file);
  if (auto file = tune_file(source); !file.empty()) out.push_back(std::move(file));
  const auto values = said(source);
  if (!values) return out;  // its load will say so
  if (auto files = samples(source, *values)) std::ranges::move(*files, std::back_inserter(out));
  if (!values->has("labels_file")) return out;
  if (auto file = labels_file(source, *values)) out.push_back(*std::move(file));
  return out;
}

std::filesystem::path SettingsReader::folder_of(const config::Source& said,
                                                const catalog::ModelSource& source) const {
  std::filesystem::path folder =
      said.origin == config::Origin::kModelFile ? source.settings.parent_path() : entry_folder_;
  return folder.empty() ? "." : folder;
}

Result<std::filesystem::path> SettingsReader::labels_file(const catalog::ModelSource& source,
                                                          const config::Values& values) const {
  return safe_join(folder_of(values.source("labels_file"), source), values.text("labels_file"));
}

Result<void> SettingsReader::add_labels(const catalog::ModelSource& source, ReadSettings& out) const {
  if (!out.values.has("labels_file")) return {};
  const auto wrong = [&](const Error& why) {
    return invalid_argument(
        fmt::format("{}: labels_file: {}", out.values.source("labels_file").place, why.message));
  };
  const auto file = labels_file(source, out.values);
  if (!file) return wrong(file.error());
  const auto bytes = read_file(*file, kMaxLabelBytes);
  if (!bytes) return wrong(bytes.error());
  std::string_view rest(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    out.settings.description.labels.emplace_back(text::trimmed(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

Result<std::vector<std::filesystem::path>> SettingsReader::samples(const catalog::ModelSource& source,
                                                                   const config::Values& values) const {
  const config::Source said = values.source("warm_up");
  const std::filesystem::path folder = folder_of(said, source);
  std::vector<std::filesystem::path> out;
  for (const std::string& name : values.items("warm_up")) {
    auto file = safe_join(folder, name);
    if (!file) return invalid_argument(fmt::format("{}: warm_up: {}", said.place, file.error().message));
    out.push_back(*std::move(file));
  }
  return out;
}

Result<content::InferRequest> read_sample(const std::filesystem::path& file) {
  BASCULE_ASSIGN(std::vector<std::byte> read, read_file(file, kMaxSampleBytes));
  const auto bytes = std::make_shared<const std::vector<std::byte>>(std::move(read));
  if (text::to_lower(file.extension().string()) == ".json") {
    BASCULE_ASSIGN(protocol::v2::InferCall call,
                   protocol::v2::parse_infer({.bytes = *bytes, .owner = bytes}, std::nullopt));
    return std::move(call.request);
  }
  content::InferRequest request;
  request.picture = {.bytes = *bytes, .owner = bytes, .name = file.filename().string()};
  return request;
}

}  // namespace bascule::app

#include "catalog/ensemble.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "catalog/configured.h"

namespace bascule::catalog {
namespace {

using content::EnsembleStep;

// What stands for a model that is run by others.
// Thread-safety: immutable.
class EnsembleExecutable final : public backend::Executable {
 public:
  explicit EnsembleExecutable(backend::ModelSpec spec) : spec_(std::move(spec)) {}
  [[nodiscard]] const backend::ModelSpec& spec() const override { return spec_; }
  Result<std::vector<tensor::NamedTensor>> run(std::span<const tensor::NamedTensor> /*inputs*/,
                                               std::span<const std::string> /*outputs*/) const override {
    return internal_error("An ensemble is run step by step.");
  }

 private:
  const backend::ModelSpec spec_;
};

Error wrong(const content::ModelConfig& config, std::size_t step, std::string_view what) {
  return invalid_argument(fmt::format("{}: step {} (model '{}') {}", config.origin, step + 1,
                                      config.ensemble->steps[step].model, what));
}

// Takes away, again and again, the steps whose tensors are there; what is left waits for itself.
Result<void> check_order(const content::ModelConfig& config, std::set<std::string> there) {
  const std::vector<EnsembleStep>& steps = config.ensemble->steps;
  std::vector<bool> done(steps.size());
  for (std::size_t round = 0; round < steps.size(); ++round) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const bool ready =
          std::ranges::all_of(steps[i].inputs, [&](const auto& in) { return there.contains(in.second); });
      if (done[i] || !ready) continue;
      done[i] = true;
      for (const auto& [output, name] : steps[i].outputs) there.insert(name);
    }
  }
  const auto left = std::ranges::find(done, false);
  if (left == done.end()) return {};
  return wrong(config, static_cast<std::size_t>(left - done.begin()),
               "waits for a tensor that cannot be made without its own; steps may not go in a circle.");
}

}  // namespace

Result<void> check_ensemble(const content::ModelConfig& config) {
  const content::Ensemble& ensemble = *config.ensemble;
  if (ensemble.crops) return {};
  std::set<std::string> inputs;
  for (const content::ConfiguredTensor& input : config.inputs) inputs.insert(input.name);
  if (inputs.empty() || config.outputs.empty()) {
    return invalid_argument(
        fmt::format("{}: an ensemble declares its inputs and outputs; no file says them.", config.origin));
  }
  std::map<std::string, std::size_t> makers;
  for (std::size_t i = 0; i < ensemble.steps.size(); ++i) {
    for (const auto& [output, name] : ensemble.steps[i].outputs) {
      if (inputs.contains(name)) {
        return wrong(config, i, fmt::format("makes '{}', which is an input of the ensemble.", name));
      }
      if (const auto [other, fresh] = makers.emplace(name, i); !fresh) {
        return wrong(config, i,
                     fmt::format("makes '{}', which step {} makes, too.", name, other->second + 1));
      }
    }
  }
  std::set<std::string> taken;
  for (std::size_t i = 0; i < ensemble.steps.size(); ++i) {
    for (const auto& [input, name] : ensemble.steps[i].inputs) {
      taken.insert(name);
      if (inputs.contains(name) || makers.contains(name)) continue;
      return wrong(config, i,
                   fmt::format("takes '{}', which no step makes and is no input of the ensemble.", name));
    }
  }
  for (const content::ConfiguredTensor& output : config.outputs) {
    if (makers.contains(output.name)) continue;
    return invalid_argument(fmt::format("{}: no step makes the output '{}'.", config.origin, output.name));
  }
  for (const std::string& input : inputs) {
    if (taken.contains(input)) continue;
    return invalid_argument(fmt::format("{}: no step takes the input '{}'.", config.origin, input));
  }
  return check_order(config, std::move(inputs));
}

Result<Handle> load_ensemble(const ModelSource& source, const content::ModelSettings& settings) {
  const content::ModelConfig& config = *source.config;
  BASCULE_TRY(check_ensemble(config));
  BASCULE_ASSIGN(backend::ModelSpec spec, declared_spec(config));
  auto info = std::make_shared<content::ModelInfo>();
  info->name = source.name;
  info->version = source.version;
  info->backend = source.engine;
  info->inputs = spec.inputs;
  info->outputs = spec.outputs;
  info->batchable = config.max_batch_size.value_or(0) > 0;
  info->file = source.file.filename().string();
  info->config = source.config;
  info->file_bytes = source.stamp.model.bytes;
  BASCULE_ASSIGN(info->labels, read_labels(source));
  if (config.ensemble->crops) info->task = "detect";
  std::string models;
  for (const EnsembleStep& step : config.ensemble->steps) {
    models += fmt::format("{}'{}'{}", models.empty() ? "" : ", ", step.model,
                          step.version.empty() ? "" : " version " + step.version);
  }
  if (const auto& crops = config.ensemble->crops) {
    models = fmt::format("boxes of '{}', each cut out for '{}'", crops->detector, crops->classifier);
  }
  info->facts.push_back({.name = "made of", .value = std::move(models), .origin = config.origin});
  for (const std::string& what : config.not_done) {
    info->facts.push_back({.name = "not done", .value = what, .origin = config.origin});
  }
  return std::make_shared<const LoadedModel>(
      LoadedModel{.info = info,
                  .executable = std::make_shared<const EnsembleExecutable>(std::move(spec)),
                  .settings = settings,
                  .ensemble = std::shared_ptr<const content::Ensemble>(source.config, &*config.ensemble)});
}

}  // namespace bascule::catalog

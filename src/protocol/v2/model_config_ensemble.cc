// The part of a configuration that makes a model of other models.
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "protocol/v2/model_config_parts.h"
#include "protocol/v2/raw_tensor.h"

namespace bascule::protocol::v2 {
namespace {

using Wire = inference::ModelConfig;
using Ensemble = inference::ModelEnsembling;

constexpr std::string_view kPlatform = "ensemble";
constexpr int kMaxSteps = 64;

template <class Map>
Result<std::map<std::string, std::string>> read_map(const Map& map, const ConfigNode& node, int number) {
  if (map.empty()) return node.error(number, "is empty; a step needs at least one tensor there.");
  if (map.size() > kMaxTensors) {
    return node.error(number, fmt::format("has {} entries; at most {} are taken.", map.size(), kMaxTensors));
  }
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : map) {
    BASCULE_ASSIGN(std::string name, read_tensor_name(key, node, number));
    BASCULE_ASSIGN(std::string tensor, read_tensor_name(value, node, number));
    out.emplace(std::move(name), std::move(tensor));
  }
  return out;
}

Result<content::EnsembleStep> read_step(const Ensemble::Step& wire, const ConfigNode& node) {
  using Step = Ensemble::Step;
  content::EnsembleStep out{.model = wire.model_name()};
  if (!valid_model_name(out.model)) {
    return node.error(Step::kModelNameFieldNumber,
                      out.model.empty() ? "is missing."
                                        : fmt::format("is '{}', which cannot name a model.",
                                                      text::escape_controls(text::shortened(out.model))));
  }
  // -1, and nothing, is the latest.
  if (wire.model_version() < -1) {
    return node.error(
        Step::kModelVersionFieldNumber,
        fmt::format("is {}; versions are numbers above 0, or -1 for the latest.", wire.model_version()));
  }
  if (wire.model_version() > 0) out.version = std::to_string(wire.model_version());
  BASCULE_ASSIGN(out.inputs, read_map(wire.input_map(), node, Step::kInputMapFieldNumber));
  BASCULE_ASSIGN(out.outputs, read_map(wire.output_map(), node, Step::kOutputMapFieldNumber));
  return out;
}

}  // namespace

Result<void> read_ensemble(const Wire& wire, const ConfigNode& node, content::ModelConfig& out) {
  const bool named = wire.platform() == kPlatform || wire.backend() == kPlatform;
  if (!wire.has_ensemble_scheduling()) {
    if (!named) return {};
    return node.error(Wire::kEnsembleSchedulingFieldNumber,
                      "is missing; an ensemble says what it is made of.");
  }
  if (!named) {
    return node.error(Wire::kEnsembleSchedulingFieldNumber,
                      fmt::format("is given, but the platform is '{}'; that of an ensemble is 'ensemble'.",
                                  text::escape_controls(text::shortened(wire.platform()))));
  }
  if (wire.instance_group_size() > 0) {
    return node.error(
        Wire::kInstanceGroupFieldNumber,
        "is given for an ensemble, which has no instances; give it to the models that it is made of.");
  }
  const Ensemble& ensemble = wire.ensemble_scheduling();
  const ConfigNode below = node.child(Wire::kEnsembleSchedulingFieldNumber, ensemble);
  if (ensemble.step_size() == 0 || ensemble.step_size() > kMaxSteps) {
    return below.error(
        Ensemble::kStepFieldNumber,
        fmt::format("is given {} times; an ensemble has 1 to {} steps.", ensemble.step_size(), kMaxSteps));
  }
  content::Ensemble& made = out.ensemble.emplace();
  made.max_inflight_requests = ensemble.max_inflight_requests();
  for (int i = 0; i < ensemble.step_size(); ++i) {
    const auto& step = ensemble.step(i);
    BASCULE_ASSIGN(content::EnsembleStep read,
                   read_step(step, below.child(Ensemble::kStepFieldNumber, step, i)));
    made.steps.push_back(std::move(read));
  }
  return {};
}

}  // namespace bascule::protocol::v2

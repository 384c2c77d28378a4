#include <grpc_service.pb.h>

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/cpu.h"
#include "base/text.h"
#include "protocol/v2/model_config.h"
#include "protocol/v2/model_config_json.h"
#include "protocol/v2/model_config_parts.h"
#include "protocol/v2/names.h"

namespace bascule::protocol::v2 {
namespace {

using Wire = inference::ModelConfig;

constexpr std::string_view kEnsemble = "ensemble";
constexpr std::string_view kMetadata = "metadata";

// The batch that the answer names: above 0, shapes are written without their first dimension.
std::size_t batch_of(const content::ServedModel& model) {
  const content::ModelInfo& info = *model.info;
  const std::size_t chosen = model.settings.max_batch_size;
  if (info.config != nullptr) {
    const std::size_t declared = info.config->max_batch_size.value_or(0);
    if (declared > 0) return chosen > 0 ? chosen : declared;
    if (info.config->max_batch_size || !info.config->inputs.empty() || !info.config->outputs.empty())
      return 0;
  }
  if (info.static_batch > 0) return info.static_batch;
  if (!info.batchable) return 0;
  return chosen > 0 ? chosen : std::max<std::size_t>(model.max_batch_size, 1);
}

template <class Tensor>
void complete_tensor(Tensor& wire, const tensor::TensorSpec& spec, bool batch) {
  wire.set_name(spec.name);
  if (wire.data_type() == inference::TYPE_INVALID) wire.set_data_type(wire_type_of(spec.type));
  if (wire.dims_size() > 0) return;
  const std::size_t first = batch && !spec.shape.empty() ? 1 : 0;
  for (std::size_t i = first; i < spec.shape.size(); ++i) wire.add_dims(spec.shape[i]);
}

// What was declared, and where nothing was, what the file has.
void complete_tensors(Wire& wire, const content::ModelInfo& info, bool batch) {
  const bool no_inputs = wire.input_size() == 0;
  for (const tensor::TensorSpec& spec : info.inputs) {
    const auto declared = std::ranges::find(*wire.mutable_input(), spec.name, &inference::ModelInput::name);
    if (declared == wire.mutable_input()->end() && !no_inputs) continue;
    auto& input = declared == wire.mutable_input()->end() ? *wire.add_input() : *declared;
    complete_tensor(input, spec, batch);
    input.set_optional(spec.optional);
  }
  const bool no_outputs = wire.output_size() == 0;
  for (const tensor::TensorSpec& spec : info.outputs) {
    const auto declared = std::ranges::find(*wire.mutable_output(), spec.name, &inference::ModelOutput::name);
    if (declared == wire.mutable_output()->end() && !no_outputs) continue;
    complete_tensor(declared == wire.mutable_output()->end() ? *wire.add_output() : *declared, spec, batch);
  }
}

// The settings in force, which may be others than those declared beside the file.
void complete_batching(Wire& wire, const content::ServedModel& model) {
  const bool other = wire.has_sequence_batching() || wire.has_ensemble_scheduling();
  if (other || (!wire.has_dynamic_batching() && model.max_batch_size <= 1)) return;
  const content::ModelSettings& settings = model.settings;
  const auto microseconds = [](Duration time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  };
  auto& batching = *wire.mutable_dynamic_batching();
  batching.clear_preferred_batch_size();
  for (const std::size_t size : settings.preferred_batch_size) {
    batching.add_preferred_batch_size(static_cast<std::int32_t>(size));
  }
  batching.set_max_queue_delay_microseconds(microseconds(settings.max_queue_delay));
  batching.set_preserve_ordering(settings.preserve_ordering);
  batching.set_priority_levels(settings.priority_levels);
  batching.set_default_priority_level(settings.default_priority_level);
  auto& policy = *batching.mutable_default_queue_policy();
  policy.set_default_timeout_microseconds(microseconds(settings.default_timeout));
  policy.set_max_queue_size(static_cast<std::uint32_t>(settings.max_queue_size));
}

// Sequences that the model's own settings make of it, without a configuration beside it.
void complete_sequences(Wire& wire, const content::ModelSettings& settings) {
  if (!settings.sequences || wire.has_sequence_batching()) return;
  auto& out = *wire.mutable_sequence_batching();
  const auto idle = std::chrono::duration_cast<std::chrono::microseconds>(settings.sequences->max_idle);
  out.set_max_sequence_idle_microseconds(static_cast<std::uint64_t>(idle.count()));
  out.mutable_oldest()->set_max_candidate_sequences(
      static_cast<std::int32_t>(std::min<std::size_t>(settings.sequences->max_candidates, INT32_MAX)));
  for (const content::SequenceState& state : settings.sequences->states) {
    auto& pair = *out.add_state();
    pair.set_input_name(state.input);
    pair.set_output_name(state.output);
    pair.set_data_type(wire_type_of(state.initial.type));
    for (const std::int64_t dim : state.initial.shape) pair.add_dims(dim);
  }
}

void complete_instances(Wire& wire, const content::ServedModel& model) {
  const std::size_t threads = static_cast<std::size_t>(std::max(model.settings.threads, 1));
  const std::size_t automatic = std::max<std::size_t>(cpu_budget() / threads, 1);
  const std::size_t count = model.settings.instances > 0 ? model.settings.instances : automatic;
  if (wire.instance_group_size() == 0) wire.add_instance_group();
  const bool alone = wire.instance_group_size() == 1;
  for (int i = 0; i < wire.instance_group_size(); ++i) {
    inference::ModelInstanceGroup& group = *wire.mutable_instance_group(i);
    if (group.name().empty()) group.set_name(fmt::format("{}_{}", wire.name(), i));
    if (group.kind() == inference::ModelInstanceGroup::KIND_AUTO) {
      group.set_kind(inference::ModelInstanceGroup::KIND_CPU);
    }
    if (alone || group.count() == 0) group.set_count(static_cast<std::int32_t>(alone ? count : 1));
  }
}

// What a file of another kind makes the same of.
void complete_ensemble(Wire& wire, const content::Ensemble& ensemble) {
  wire.set_platform(std::string(kEnsemble));
  if (wire.has_ensemble_scheduling()) return;
  auto& out = *wire.mutable_ensemble_scheduling();
  out.set_max_inflight_requests(static_cast<std::uint32_t>(ensemble.max_inflight_requests));
  for (const content::EnsembleStep& step : ensemble.steps) {
    auto& made = *out.add_step();
    made.set_model_name(step.model);
    made.set_model_version(step.version.empty() ? -1 : text::parse_int(step.version).value_or(-1));
    made.mutable_input_map()->insert(step.inputs.begin(), step.inputs.end());
    made.mutable_output_map()->insert(step.outputs.begin(), step.outputs.end());
  }
}

Wire completed(const content::ServedModel& model) {
  const content::ModelInfo& info = *model.info;
  Wire wire;
  if (info.config != nullptr) wire.ParseFromString(info.config->wire);
  wire.set_name(info.name);
  if (wire.platform().empty() && !info.format.empty()) wire.set_platform(platform_name(info));
  const bool ensemble = info.config != nullptr && info.config->ensemble;
  if (ensemble) complete_ensemble(wire, *info.config->ensemble);
  if (wire.backend().empty() && !ensemble) wire.set_backend(info.backend);
  if (wire.default_model_filename().empty() && !ensemble) wire.set_default_model_filename(info.file);
  if (wire.version_policy().policy_choice_case() == inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET) {
    wire.mutable_version_policy()->mutable_latest()->set_num_versions(1);
  }
  const std::size_t batch = batch_of(model);
  wire.set_max_batch_size(static_cast<std::int32_t>(batch));
  complete_tensors(wire, info, batch > 0);
  complete_sequences(wire, model.settings);
  complete_batching(wire, model);
  if (!ensemble) complete_instances(wire, model);
  if (!info.metadata_literal.empty() && !wire.parameters().contains(std::string(kMetadata))) {
    (*wire.mutable_parameters())[std::string(kMetadata)].set_string_value(info.metadata_literal);
  }
  return wire;
}

}  // namespace

std::string write_model_config(const content::ServedModel& model) {
  return write_message_json(completed(model));
}

std::string write_model_config_message(const content::ServedModel& model) {
  inference::ModelConfigResponse wire;
  *wire.mutable_config() = completed(model);
  return wire.SerializeAsString();
}

}  // namespace bascule::protocol::v2

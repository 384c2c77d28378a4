#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "protocol/v2/model_config_parts.h"

namespace bascule::protocol::v2 {
namespace {

using Wire = inference::ModelConfig;

// Collects, in words such as "optimization.cuda (config.pbtxt:8)".
class NotDone {
 public:
  void add(bool asked, std::string_view what, const ConfigNode& node, int number, int index = 0) {
    if (asked && all.size() < kMost) all.push_back(fmt::format("{} ({})", what, node.place(number, index)));
  }
  std::vector<std::string> all;

 private:
  static constexpr std::size_t kMost = 32;  // a sentence has to name them
};

void check_tensors(const Wire& wire, const ConfigNode& node, NotDone& out) {
  for (int i = 0; i < wire.input_size(); ++i) {
    const inference::ModelInput& input = wire.input(i);
    using Input = inference::ModelInput;
    const ConfigNode at = node.child(Wire::kInputFieldNumber, input, i);
    out.add(input.allow_ragged_batch(), "input.allow_ragged_batch", at, Input::kAllowRaggedBatchFieldNumber);
    out.add(input.is_shape_tensor(), "input.is_shape_tensor", at, Input::kIsShapeTensorFieldNumber);
    out.add(input.is_non_linear_format_io(), "input.is_non_linear_format_io", at,
            Input::kIsNonLinearFormatIoFieldNumber);
  }
  for (int i = 0; i < wire.output_size(); ++i) {
    const inference::ModelOutput& output = wire.output(i);
    using Output = inference::ModelOutput;
    const ConfigNode at = node.child(Wire::kOutputFieldNumber, output, i);
    out.add(output.is_shape_tensor(), "output.is_shape_tensor", at, Output::kIsShapeTensorFieldNumber);
    out.add(output.is_non_linear_format_io(), "output.is_non_linear_format_io", at,
            Output::kIsNonLinearFormatIoFieldNumber);
  }
  out.add(wire.batch_input_size() > 0, "batch_input", node, Wire::kBatchInputFieldNumber);
  out.add(wire.batch_output_size() > 0, "batch_output", node, Wire::kBatchOutputFieldNumber);
}

// Pinned memory and gather kernels are about copies to a GPU: without one there is nothing to leave undone.
void check_optimization(const Wire& wire, const ConfigNode& node, NotDone& out) {
  using Policy = inference::ModelOptimizationPolicy;
  const Policy& policy = wire.optimization();
  const ConfigNode at = node.child(Wire::kOptimizationFieldNumber, policy);
  const auto& accelerators = policy.execution_accelerators();
  out.add(policy.graph().level() != 0, "optimization.graph", at, Policy::kGraphFieldNumber);
  out.add(policy.priority() != Policy::PRIORITY_DEFAULT, "optimization.priority", at,
          Policy::kPriorityFieldNumber);
  out.add(policy.has_cuda(), "optimization.cuda", at, Policy::kCudaFieldNumber);
  out.add(accelerators.gpu_execution_accelerator_size() + accelerators.cpu_execution_accelerator_size() > 0,
          "optimization.execution_accelerators", at, Policy::kExecutionAcceleratorsFieldNumber);
  out.add(policy.eager_batching(), "optimization.eager_batching", at, Policy::kEagerBatchingFieldNumber);
}

void check_batching(const Wire& wire, const ConfigNode& node, NotDone& out) {
  using Batching = inference::ModelDynamicBatching;
  using Policy = inference::ModelQueuePolicy;
  const Batching& batching = wire.dynamic_batching();
  const ConfigNode at = node.child(Wire::kDynamicBatchingFieldNumber, batching);
  const ConfigNode policy =
      at.child(Batching::kDefaultQueuePolicyFieldNumber, batching.default_queue_policy());
  out.add(batching.default_queue_policy().timeout_action() == Policy::DELAY,
          "dynamic_batching.default_queue_policy.timeout_action DELAY, requests are refused", policy,
          Policy::kTimeoutActionFieldNumber);
  out.add(batching.priority_queue_policy_size() > 0,
          "dynamic_batching.priority_queue_policy, all levels have the default policy", at,
          Batching::kPriorityQueuePolicyFieldNumber);
}

void check_sequences(const Wire& wire, const ConfigNode& node, NotDone& out) {
  using Sequences = inference::ModelSequenceBatching;
  const Sequences& sequences = wire.sequence_batching();
  const ConfigNode at = node.child(Wire::kSequenceBatchingFieldNumber, sequences);
  out.add(sequences.direct().minimum_slot_utilization() > 0,
          "sequence_batching.direct.minimum_slot_utilization", at, Sequences::kDirectFieldNumber);
  out.add(sequences.iterative_sequence(), "sequence_batching.iterative_sequence", at,
          Sequences::kIterativeSequenceFieldNumber);
}

void check_ensemble(const Wire& wire, const ConfigNode& node, NotDone& out) {
  using Ensemble = inference::ModelEnsembling;
  const ConfigNode at = node.child(Wire::kEnsembleSchedulingFieldNumber, wire.ensemble_scheduling());
  for (int i = 0; i < wire.ensemble_scheduling().step_size(); ++i) {
    const auto& step = wire.ensemble_scheduling().step(i);
    out.add(!step.model_namespace().empty(), "ensemble_scheduling.step.model_namespace",
            at.child(Ensemble::kStepFieldNumber, step, i), Ensemble::Step::kModelNamespaceFieldNumber);
  }
}

void check_instances(const Wire& wire, const ConfigNode& node, NotDone& out) {
  using Group = inference::ModelInstanceGroup;
  for (int i = 0; i < wire.instance_group_size(); ++i) {
    const Group& group = wire.instance_group(i);
    const ConfigNode at = node.child(Wire::kInstanceGroupFieldNumber, group, i);
    out.add(group.kind() == Group::KIND_GPU, "instance_group.kind KIND_GPU, it runs on the CPU", at,
            Group::kKindFieldNumber);
    out.add(group.has_rate_limiter(), "instance_group.rate_limiter", at, Group::kRateLimiterFieldNumber);
    out.add(group.passive(), "instance_group.passive", at, Group::kPassiveFieldNumber);
    out.add(!group.host_policy().empty(), "instance_group.host_policy", at, Group::kHostPolicyFieldNumber);
    out.add(group.secondary_devices_size() > 0, "instance_group.secondary_devices", at,
            Group::kSecondaryDevicesFieldNumber);
  }
}

}  // namespace

std::vector<std::string> not_done_of(const Wire& wire, const ConfigNode& node) {
  NotDone out;
  check_tensors(wire, node, out);
  check_optimization(wire, node, out);
  check_batching(wire, node, out);
  check_sequences(wire, node, out);
  check_ensemble(wire, node, out);
  check_instances(wire, node, out);
  out.add(!wire.runtime().empty(), "runtime", node, Wire::kRuntimeFieldNumber);
  out.add(wire.cc_model_filenames_size() > 0, "cc_model_filenames", node, Wire::kCcModelFilenamesFieldNumber);
  out.add(wire.metric_tags_size() > 0, "metric_tags", node, Wire::kMetricTagsFieldNumber);
  out.add(wire.has_model_operations(), "model_operations", node, Wire::kModelOperationsFieldNumber);
  out.add(wire.model_transaction_policy().decoupled(), "model_transaction_policy.decoupled", node,
          Wire::kModelTransactionPolicyFieldNumber);
  out.add(wire.has_model_repository_agents(), "model_repository_agents", node,
          Wire::kModelRepositoryAgentsFieldNumber);
  out.add(wire.response_cache().enable(), "response_cache", node, Wire::kResponseCacheFieldNumber);
  out.add(wire.has_model_metrics(), "model_metrics", node, Wire::kModelMetricsFieldNumber);
  return std::move(out.all);
}

}  // namespace bascule::protocol::v2

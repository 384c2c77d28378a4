#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/v2/model_config_parts.h"

namespace bascule::protocol::v2 {
namespace {

using Wire = inference::ModelConfig;

// A parameter that Triton's ONNX Runtime backend reads.
constexpr std::string_view kThreads = "intra_op_thread_count";

class SettingsReader {
 public:
  SettingsReader(const Wire& wire, const ConfigNode& node, content::ModelConfig& out)
      : wire_(wire), node_(node), out_(out) {}

  Result<void> read() {
    if (wire_.max_batch_size() > 0) {
      add("max_batch_size", wire_.max_batch_size(), node_, Wire::kMaxBatchSizeFieldNumber);
    }
    BASCULE_TRY(read_versions());
    BASCULE_TRY(read_batching());
    read_sequences();
    BASCULE_TRY(read_instances());
    const auto threads = wire_.parameters().find(std::string(kThreads));
    if (threads != wire_.parameters().end() &&
        text::parse_int(threads->second.string_value()).value_or(0) > 0) {
      add("threads", threads->second.string_value(), node_, Wire::kParametersFieldNumber);
    }
    return {};
  }

 private:
  template <class Value>
  void add(std::string_view name, const Value& value, const ConfigNode& node, int number) {
    out_.settings.push_back(
        {.name = std::string(name), .items = {fmt::format("{}", value)}, .place = node.place(number)});
  }

  // Adds it only where the text gives it.
  template <class Value>
  void add_said(std::string_view name, const Value& value, const ConfigNode& node, int number) {
    if (node.said(number)) add(name, value, node, number);
  }

  Result<void> read_versions() {
    using Policy = inference::ModelVersionPolicy;
    const Policy& policy = wire_.version_policy();
    const ConfigNode node = node_.child(Wire::kVersionPolicyFieldNumber, policy);
    if (policy.has_all()) out_.versions = content::VersionPolicy{.latest = 0};
    if (policy.has_latest()) {
      if (policy.latest().num_versions() == 0) {
        return node.error(Policy::kLatestFieldNumber, "has num_versions 0; it must be 1 or more.");
      }
      out_.versions = content::VersionPolicy{.latest = policy.latest().num_versions()};
    }
    if (policy.has_specific()) {
      content::VersionPolicy chosen;
      for (const std::int64_t version : policy.specific().versions()) {
        if (version <= 0) {
          return node.error(Policy::kSpecificFieldNumber,
                            fmt::format("names version {}; versions are numbers above 0.", version));
        }
        chosen.specific.push_back(static_cast<std::uint64_t>(version));
      }
      if (chosen.specific.empty()) {
        return node.error(Policy::kSpecificFieldNumber, "names no versions.");
      }
      out_.versions = std::move(chosen);
    }
    return {};
  }

  Result<void> read_batching() {
    using Batching = inference::ModelDynamicBatching;
    if (!wire_.has_dynamic_batching()) return {};
    const Batching& batching = wire_.dynamic_batching();
    const ConfigNode node = node_.child(Wire::kDynamicBatchingFieldNumber, batching);
    add_sizes(batching.preferred_batch_size(), node, Batching::kPreferredBatchSizeFieldNumber);
    add_said("max_queue_delay_microseconds", batching.max_queue_delay_microseconds(), node,
             Batching::kMaxQueueDelayMicrosecondsFieldNumber);
    add_said("preserve_ordering", batching.preserve_ordering(), node, Batching::kPreserveOrderingFieldNumber);
    add_said("priority_levels", batching.priority_levels(), node, Batching::kPriorityLevelsFieldNumber);
    add_said("default_priority_level", batching.default_priority_level(), node,
             Batching::kDefaultPriorityLevelFieldNumber);
    using Policy = inference::ModelQueuePolicy;
    const Policy& policy = batching.default_queue_policy();
    const ConfigNode below = node.child(Batching::kDefaultQueuePolicyFieldNumber, policy);
    add_said("default_timeout_microseconds", policy.default_timeout_microseconds(), below,
             Policy::kDefaultTimeoutMicrosecondsFieldNumber);
    add_said("max_queue_size", policy.max_queue_size(), below, Policy::kMaxQueueSizeFieldNumber);
    return {};
  }

  // Steps of different sequences share runs as requests do.
  void read_sequences() {
    using Sequences = inference::ModelSequenceBatching;
    const Sequences& sequences = wire_.sequence_batching();
    const ConfigNode node = node_.child(Wire::kSequenceBatchingFieldNumber, sequences);
    if (sequences.max_sequence_idle_microseconds() > 0) {  // 0 is the default, which read_sequences knows
      add("max_sequence_idle_microseconds", sequences.max_sequence_idle_microseconds(), node,
          Sequences::kMaxSequenceIdleMicrosecondsFieldNumber);
    }
    using Direct = Sequences::StrategyDirect;
    add_said("max_queue_delay_microseconds", sequences.direct().max_queue_delay_microseconds(),
             node.child(Sequences::kDirectFieldNumber, sequences.direct()),
             Direct::kMaxQueueDelayMicrosecondsFieldNumber);
    if (!sequences.has_oldest()) return;
    using Oldest = Sequences::StrategyOldest;
    const Oldest& oldest = sequences.oldest();
    const ConfigNode below = node.child(Sequences::kOldestFieldNumber, oldest);
    if (oldest.max_candidate_sequences() > 0) {
      add("max_candidate_sequences", oldest.max_candidate_sequences(), below,
          Oldest::kMaxCandidateSequencesFieldNumber);
    }
    add_sizes(oldest.preferred_batch_size(), below, Oldest::kPreferredBatchSizeFieldNumber);
    add_said("max_queue_delay_microseconds", oldest.max_queue_delay_microseconds(), below,
             Oldest::kMaxQueueDelayMicrosecondsFieldNumber);
    add_said("preserve_ordering", oldest.preserve_ordering(), below, Oldest::kPreserveOrderingFieldNumber);
  }

  void add_sizes(const google::protobuf::RepeatedField<std::int32_t>& sizes, const ConfigNode& node,
                 int number) {
    if (sizes.empty()) return;
    std::vector<std::string> items;
    for (const std::int32_t size : sizes) items.push_back(std::to_string(size));
    out_.settings.push_back(
        {.name = "preferred_batch_size", .items = std::move(items), .place = node.place(number)});
  }

  Result<void> read_instances() {
    using Group = inference::ModelInstanceGroup;
    std::int64_t count = 0;
    for (int i = 0; i < wire_.instance_group_size(); ++i) {
      const Group& group = wire_.instance_group(i);
      if (group.count() < 0) {
        return node_.child(Wire::kInstanceGroupFieldNumber, group, i)
            .error(Group::kCountFieldNumber, fmt::format("is {}; it must be 0 or more.", group.count()));
      }
      if (!group.passive()) count += group.count();
    }
    if (count > 0) add("instances", count, node_, Wire::kInstanceGroupFieldNumber);
    return {};
  }

  const Wire& wire_;
  const ConfigNode& node_;
  content::ModelConfig& out_;
};

}  // namespace

Result<void> read_settings(const Wire& wire, const ConfigNode& node, content::ModelConfig& out) {
  return SettingsReader(wire, node, out).read();
}

}  // namespace bascule::protocol::v2

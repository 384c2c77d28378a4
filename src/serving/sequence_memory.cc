#include "serving/sequence_memory.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace bascule::serving {
namespace {

using content::SequenceState;
using tensor::NamedTensor;
using tensor::TensorSpec;

// An input whose file names no shape takes any.
bool takes(const TensorSpec& spec, const tensor::Tensor& tensor) {
  return spec.type == tensor.type && (spec.shape.empty() || tensor::matches(spec.shape, tensor.shape));
}

// Of one row: a file's own fixed batch is padded by whoever runs it.
TensorSpec row_spec(const backend::ModelSpec& spec, const std::string& name) {
  const auto input = std::ranges::find(spec.inputs, name, &TensorSpec::name);
  BASCULE_CHECK(input != spec.inputs.end());  // held against the file at load
  TensorSpec out = *input;
  if (backend::static_batch(spec) > 0) out.shape[0] = 1;
  return out;
}

Result<tensor::Tensor> copied(const tensor::Tensor& tensor) {
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(tensor.type, tensor.shape));
  std::ranges::copy(tensor.bytes, out.bytes.begin());
  return std::move(out.tensor);
}

}  // namespace

Result<void> SequenceMemory::keep(std::vector<NamedTensor> states, std::uint64_t limit,
                                  const std::string& model) {
  std::uint64_t bytes = 0;
  for (const NamedTensor& state : states) bytes += state.tensor.bytes.size();
  // Added first, so that requests beside each other do not both take the last room.
  const std::uint64_t before = kept_->fetch_add(bytes, std::memory_order_relaxed);
  if (before + bytes > limit + bytes_) {
    kept_->fetch_sub(bytes, std::memory_order_relaxed);
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format(
                     "The sequences of model '{}' keep {}, and this one would keep {}; max_state_mb "
                     "allows {} in all. End sequences that are over, or raise it.",
                     model, text::human_bytes(before), text::human_bytes(bytes), text::human_bytes(limit))};
  }
  kept_->fetch_sub(bytes_, std::memory_order_relaxed);
  bytes_ = bytes;
  states_ = std::move(states);
  return {};
}

Result<std::vector<std::string>> add_states(const backend::ModelSpec& spec,
                                            const content::SequenceBatching& settings,
                                            const SequenceMemory& memory, const std::string& model,
                                            content::InferRequest& request) {
  for (const SequenceState& state : settings.states) {
    const auto kept = std::ranges::find(memory.states(), state.input, &NamedTensor::name);
    if (memory.states().empty() && memory.from_start()) {
      request.inputs.push_back({.name = state.input, .tensor = state.initial});
      continue;
    }
    if (kept == memory.states().end() || !takes(row_spec(spec, state.input), kept->tensor)) {
      return Error{
          .code = Code::kFailedPrecondition,
          .message = fmt::format("Model '{}' was loaded anew since this sequence began, and its state '{}' "
                                 "is not what the sequence has kept. Begin the sequence anew, with START.",
                                 model, text::shortened(state.input))};
    }
    request.inputs.push_back(*kept);
  }
  if (request.outputs.empty()) {
    for (const TensorSpec& output : spec.outputs) request.outputs.push_back(output.name);
  }
  std::vector<std::string> added;
  for (const SequenceState& state : settings.states) {
    if (std::ranges::find(request.outputs, state.output) != request.outputs.end()) continue;
    request.outputs.push_back(state.output);
    added.push_back(state.output);
  }
  return added;
}

Result<void> take_states(const backend::ModelSpec& spec, const content::SequenceBatching& settings,
                         const std::vector<std::string>& added, bool shared, const std::string& model,
                         SequenceMemory& memory, std::vector<NamedTensor>& outputs) {
  std::vector<NamedTensor> states;
  for (const SequenceState& state : settings.states) {
    const auto output = std::ranges::find(outputs, state.output, &NamedTensor::name);
    BASCULE_CHECK(output != outputs.end());
    if (!takes(row_spec(spec, state.input), output->tensor)) {
      return internal_error(fmt::format(
          "Model '{}' gave its state '{}' as {} of shape {}, but takes it back as input '{}' of shape {}.",
          model, text::shortened(state.output), tensor::to_string(output->tensor.type),
          tensor::to_string(output->tensor.shape), text::shortened(state.input),
          tensor::to_string(row_spec(spec, state.input).shape)));
    }
    NamedTensor& kept = states.emplace_back(NamedTensor{.name = state.input, .tensor = output->tensor});
    if (!shared) continue;
    BASCULE_ASSIGN(kept.tensor, copied(output->tensor));  // a part of the run's output would keep all of it
  }
  BASCULE_TRY(memory.keep(std::move(states), settings.max_state_bytes, model));
  std::erase_if(outputs, [&](const NamedTensor& output) {
    return std::ranges::find(added, output.name) != added.end();
  });
  return {};
}

}  // namespace bascule::serving

// The parts of a configuration that are about requests: warm-up and sequences.
#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/v2/model_config_parts.h"

namespace bascule::protocol::v2 {
namespace {

using Wire = inference::ModelConfig;
using Sequences = inference::ModelSequenceBatching;
using Control = Sequences::Control;

constexpr int kMaxWarmUps = 64;
constexpr std::uint32_t kMaxWarmUpRuns = 10'000;
constexpr std::uint32_t kMaxWarmUpRows = 65'536;
constexpr int kMaxWarmUpInputs = 256;
constexpr int kMaxControls = 16;
constexpr int kMaxStates = 64;
constexpr std::uint64_t kMaxIdleMicroseconds = 86'400'000'000;  // a day

Result<content::WarmUpInput> read_warm_up_input(const std::string& name,
                                                const inference::ModelWarmup::Input& wire,
                                                const ConfigNode& node) {
  using Input = inference::ModelWarmup::Input;
  content::WarmUpInput out{.name = name};
  const auto type = data_type_of(wire.data_type());
  if (!type) return node.error(Input::kDataTypeFieldNumber, fmt::format("of '{}' is missing.", name));
  out.type = *type;
  BASCULE_ASSIGN(out.dims, read_dims(wire.dims(), node, Input::kDimsFieldNumber, false));
  using Data = content::WarmUpInput::Data;
  switch (wire.input_data_type_case()) {
    case Input::kZeroData: out.data = Data::kZero; break;
    case Input::kRandomData: out.data = Data::kRandom; break;
    case Input::kInputDataFile:
      out.data = Data::kFile;
      out.file = wire.input_data_file();
      break;
    case Input::INPUT_DATA_TYPE_NOT_SET:
      return node.error(Input::kZeroDataFieldNumber,
                        fmt::format("is missing, and so are random_data and input_data_file of '{}'.", name));
  }
  return out;
}

// The element for "no" and for "yes", in whichever form it is given.
Result<void> read_values(const Control& wire, const ConfigNode& node, content::ControlInput& out) {
  const auto take = [&](const auto& values, int number, tensor::DataType type) -> Result<void> {
    if (values.size() != 2) {
      return node.error(number, fmt::format("of '{}' has {} values; it needs 2: for no and for yes.",
                                            out.name, values.size()));
    }
    out.type = type;
    out.false_true = {static_cast<double>(values[0]), static_cast<double>(values[1])};
    return {};
  };
  const int given = static_cast<int>(wire.int32_false_true_size() > 0) +
                    static_cast<int>(wire.fp32_false_true_size() > 0) +
                    static_cast<int>(wire.bool_false_true_size() > 0);
  if (given > 1) {
    return node.error(Control::kInt32FalseTrueFieldNumber,
                      fmt::format("of '{}' is given beside another of its kind; give one.", out.name));
  }
  if (wire.fp32_false_true_size() > 0) {
    return take(wire.fp32_false_true(), Control::kFp32FalseTrueFieldNumber, tensor::DataType::kFp32);
  }
  if (wire.bool_false_true_size() > 0) {
    return take(wire.bool_false_true(), Control::kBoolFalseTrueFieldNumber, tensor::DataType::kBool);
  }
  return take(wire.int32_false_true(), Control::kInt32FalseTrueFieldNumber, tensor::DataType::kInt32);
}

Result<content::ControlInput> read_control(const std::string& name, const Control& wire,
                                           const ConfigNode& node) {
  content::ControlInput out{.name = name};
  switch (wire.kind()) {
    case Control::CONTROL_SEQUENCE_READY: out.kind = content::ControlKind::kReady; break;
    case Control::CONTROL_SEQUENCE_END: out.kind = content::ControlKind::kEnd; break;
    case Control::CONTROL_SEQUENCE_CORRID: out.kind = content::ControlKind::kCorrelationId; break;
    default: out.kind = content::ControlKind::kStart;
  }
  if (out.kind != content::ControlKind::kCorrelationId) {
    BASCULE_TRY(read_values(wire, node, out));
    return out;
  }
  using enum tensor::DataType;
  constexpr std::array kTypes = {kUint64, kInt64, kUint32, kInt32, kString};
  const auto type = data_type_of(wire.data_type());
  if (!type || std::ranges::find(kTypes, *type) == kTypes.end()) {
    return node.error(Control::kDataTypeFieldNumber,
                      fmt::format("of '{}' must be TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 or "
                                  "TYPE_STRING.",
                                  name));
  }
  out.type = *type;
  return out;
}

Result<void> read_control_input(const Sequences::ControlInput& wire, const ConfigNode& node,
                                content::SequenceBatching& out) {
  using Input = Sequences::ControlInput;
  BASCULE_ASSIGN(const std::string name, read_tensor_name(wire.name(), node, Input::kNameFieldNumber));
  if (wire.control_size() != 1) {
    return node.error(
        Input::kControlFieldNumber,
        fmt::format("of '{}' is given {} times; it must stand there once.", name, wire.control_size()));
  }
  const ConfigNode below = node.child(Input::kControlFieldNumber, wire.control(0));
  BASCULE_ASSIGN(content::ControlInput control, read_control(name, wire.control(0), below));
  for (const content::ControlInput& other : out.controls) {
    if (other.name == control.name || other.kind == control.kind) {
      return node.error(
          Input::kNameFieldNumber,
          fmt::format("'{}' is declared twice, or another input has its kind of control.", name));
    }
  }
  out.controls.push_back(std::move(control));
  return {};
}

Result<void> read_initial_state(const Sequences::InitialState& wire, const ConfigNode& node,
                                content::SequenceState& out) {
  using Initial = Sequences::InitialState;
  const auto type = data_type_of(wire.data_type());
  if (type && out.type && *type != *out.type) {
    return node.error(Initial::kDataTypeFieldNumber,
                      fmt::format("of state '{}' is {}, but the state's is {}.", out.input,
                                  tensor::to_string(*type), tensor::to_string(*out.type)));
  }
  BASCULE_ASSIGN(out.initial_dims, read_dims(wire.dims(), node, Initial::kDimsFieldNumber, false));
  if (wire.state_data_case() == Initial::kDataFile) {
    if (wire.data_file().empty()) return node.error(Initial::kDataFileFieldNumber, "is empty.");
    out.initial_file = wire.data_file();
  } else if (wire.state_data_case() != Initial::kZeroData) {
    return node.error(Initial::kZeroDataFieldNumber,
                      fmt::format("is missing, and so is data_file of state '{}'.", out.input));
  }
  return {};
}

Result<void> read_state(const Sequences::State& wire, const ConfigNode& node,
                        content::SequenceBatching& out) {
  using State = Sequences::State;
  content::SequenceState state;
  BASCULE_ASSIGN(state.input, read_tensor_name(wire.input_name(), node, State::kInputNameFieldNumber));
  BASCULE_ASSIGN(state.output, read_tensor_name(wire.output_name(), node, State::kOutputNameFieldNumber));
  state.type = data_type_of(wire.data_type());
  if (!state.type) {
    return node.error(State::kDataTypeFieldNumber, fmt::format("of state '{}' is missing.", state.input));
  }
  BASCULE_ASSIGN(state.dims, read_dims(wire.dims(), node, State::kDimsFieldNumber));
  if (wire.initial_state_size() > 1) {
    return node.error(State::kInitialStateFieldNumber,
                      fmt::format("of state '{}' is given {} times; a sequence begins with one.", state.input,
                                  wire.initial_state_size()));
  }
  if (wire.initial_state_size() == 1) {
    const ConfigNode below = node.child(State::kInitialStateFieldNumber, wire.initial_state(0));
    BASCULE_TRY(read_initial_state(wire.initial_state(0), below, state));
  }
  for (const content::SequenceState& other : out.states) {
    if (other.input == state.input || other.output == state.output) {
      return node.error(State::kInputNameFieldNumber,
                        fmt::format("'{}' or its output '{}' is the state of another pair, too.", state.input,
                                    state.output));
    }
  }
  out.states.push_back(std::move(state));
  return {};
}

}  // namespace

Result<void> read_warm_up(const Wire& wire, const ConfigNode& node, content::ModelConfig& out) {
  using WarmUp = inference::ModelWarmup;
  if (wire.model_warmup_size() > kMaxWarmUps) {
    return node.error(Wire::kModelWarmupFieldNumber, fmt::format("is given {} times; at most {} are taken.",
                                                                 wire.model_warmup_size(), kMaxWarmUps));
  }
  for (int i = 0; i < wire.model_warmup_size(); ++i) {
    const WarmUp& one = wire.model_warmup(i);
    const ConfigNode below = node.child(Wire::kModelWarmupFieldNumber, one, i);
    if (one.count() > kMaxWarmUpRuns || one.batch_size() > kMaxWarmUpRows ||
        one.inputs_size() > kMaxWarmUpInputs) {
      return below.error(WarmUp::kNameFieldNumber,
                         fmt::format("'{}' is more than a warm-up: at most {} runs of {} rows and {} inputs.",
                                     text::escape_controls(text::shortened(one.name())), kMaxWarmUpRuns,
                                     kMaxWarmUpRows, kMaxWarmUpInputs));
    }
    content::WarmUpRequest request{
        .name = one.name(), .rows = one.batch_size(), .count = std::max<std::size_t>(one.count(), 1)};
    // In the order of their names: a map has none of its own.
    const std::map<std::string, WarmUp::Input> inputs(one.inputs().begin(), one.inputs().end());
    for (const auto& [name, input] : inputs) {
      // The text's lines are by entry of the map, whose order is lost.
      const std::string place = below.place(WarmUp::kInputsFieldNumber);
      const ConfigNode at(input, nullptr, place);
      BASCULE_ASSIGN(content::WarmUpInput read, read_warm_up_input(name, input, at));
      request.inputs.push_back(std::move(read));
    }
    out.warm_up.push_back(std::move(request));
  }
  return {};
}

Result<void> read_sequences(const Wire& wire, const ConfigNode& node, content::ModelConfig& out) {
  if (!wire.has_sequence_batching()) return {};
  const Sequences& sequences = wire.sequence_batching();
  const ConfigNode below = node.child(Wire::kSequenceBatchingFieldNumber, sequences);
  content::SequenceBatching batching;
  if (sequences.max_sequence_idle_microseconds() > kMaxIdleMicroseconds) {
    return below.error(Sequences::kMaxSequenceIdleMicrosecondsFieldNumber,
                       fmt::format("is {}; it may be at most {}.", sequences.max_sequence_idle_microseconds(),
                                   kMaxIdleMicroseconds));
  }
  if (sequences.max_sequence_idle_microseconds() > 0) {
    batching.max_idle = std::chrono::microseconds(sequences.max_sequence_idle_microseconds());
  }
  if (sequences.has_oldest()) {
    batching.strategy = content::SequenceBatching::Strategy::kOldest;
    batching.max_candidates =
        static_cast<std::size_t>(std::max(sequences.oldest().max_candidate_sequences(), 0));
  }
  if (sequences.control_input_size() > kMaxControls) {
    return below.error(Sequences::kControlInputFieldNumber,
                       fmt::format("is given {} times; at most {} are taken.", sequences.control_input_size(),
                                   kMaxControls));
  }
  for (int i = 0; i < sequences.control_input_size(); ++i) {
    const auto& input = sequences.control_input(i);
    BASCULE_TRY(
        read_control_input(input, below.child(Sequences::kControlInputFieldNumber, input, i), batching));
  }
  if (sequences.state_size() > kMaxStates) {
    return below.error(Sequences::kStateFieldNumber, fmt::format("is given {} times; at most {} are taken.",
                                                                 sequences.state_size(), kMaxStates));
  }
  for (int i = 0; i < sequences.state_size(); ++i) {
    const auto& state = sequences.state(i);
    BASCULE_TRY(read_state(state, below.child(Sequences::kStateFieldNumber, state, i), batching));
  }
  out.sequences = std::move(batching);
  return {};
}

}  // namespace bascule::protocol::v2

#include "serving/sequence_controls.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::serving {
namespace {

using content::ControlInput;
using content::ControlKind;
using tensor::DataType;
using tensor::Tensor;

// Of one row.
tensor::Shape row_shape(const tensor::TensorSpec& spec, bool rows) {
  tensor::Shape shape = spec.shape;
  for (std::int64_t& dimension : shape) {
    if (dimension == tensor::kDynamic) dimension = 1;
  }
  if (rows && !shape.empty()) shape[0] = 1;
  return shape;
}

template <class Element, class Value>
Result<Tensor> filled(DataType type, tensor::Shape shape, Value value) {
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(type, std::move(shape)));
  std::ranges::fill(out.template elements<Element>(), static_cast<Element>(value));
  return std::move(out.tensor);
}

Error other_type(const ControlInput& control, std::string_view got, const std::string& model) {
  return invalid_argument(
      fmt::format("The sequence id of the request is {}, but model '{}' takes it as {} (input "
                  "'{}').",
                  got, model, tensor::to_string(control.type), text::shortened(control.name)),
      Reason::kDatatypeMismatch);
}

template <class Element>
Result<Tensor> number_of(const ControlInput& control, std::uint64_t id, tensor::Shape shape,
                         const std::string& model) {
  if (!std::in_range<Element>(id)) return other_type(control, fmt::format("the number {}", id), model);
  return filled<Element>(control.type, std::move(shape), id);
}

Result<Tensor> id_tensor(const ControlInput& control, const content::SequenceId& id, tensor::Shape shape,
                         const std::string& model) {
  if (const auto* const text = std::get_if<std::string>(&id)) {
    if (control.type != DataType::kString) return other_type(control, "a text", model);
    BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
    const std::vector<std::string_view> same(count, *text);
    return tensor::make_string_tensor(std::move(shape), same);
  }
  const std::uint64_t number = std::get<std::uint64_t>(id);
  switch (control.type) {
    case DataType::kUint64: return number_of<std::uint64_t>(control, number, std::move(shape), model);
    case DataType::kInt64: return number_of<std::int64_t>(control, number, std::move(shape), model);
    case DataType::kUint32: return number_of<std::uint32_t>(control, number, std::move(shape), model);
    case DataType::kInt32: return number_of<std::int32_t>(control, number, std::move(shape), model);
    default: return other_type(control, "a number", model);
  }
}

Result<Tensor> flag_tensor(const ControlInput& control, bool flag, tensor::Shape shape) {
  const double value = control.false_true[flag ? 1 : 0];
  switch (control.type) {
    case DataType::kInt32: return filled<std::int32_t>(control.type, std::move(shape), value);
    case DataType::kFp32: return filled<float>(control.type, std::move(shape), value);
    case DataType::kBool: return filled<bool>(control.type, std::move(shape), value != 0);
    default: break;
  }
  return Error{
      .code = Code::kFailedPrecondition,
      .message = fmt::format("The control input '{}' is configured as {}; it has to be INT32, FP32 or "
                             "BOOL.",
                             text::shortened(control.name), tensor::to_string(control.type))};
}

bool is_set(ControlKind kind, const content::SequenceStep& step) {
  switch (kind) {
    case ControlKind::kStart: return step.start;
    case ControlKind::kEnd: return step.end;
    case ControlKind::kReady:
    case ControlKind::kCorrelationId: break;
  }
  return true;
}

Result<void> check_request(const content::SequenceBatching& settings, const std::string& model,
                           const std::vector<tensor::NamedTensor>& inputs, bool rows) {
  for (const tensor::NamedTensor& input : inputs) {
    if (std::ranges::find(settings.controls, input.name, &ControlInput::name) != settings.controls.end() ||
        std::ranges::find(settings.states, input.name, &content::SequenceState::input) !=
            settings.states.end()) {
      Error error =
          invalid_argument(fmt::format("Input '{}' of model '{}' is filled by the server; leave it out.",
                                       text::shortened(input.name), model),
                           Reason::kUnknownInput);
      error.fields.name = input.name;
      return error;
    }
    if (!rows || input.tensor.shape.empty() || input.tensor.shape[0] == 1) continue;
    Error error = invalid_argument(
        fmt::format(
            "Inference request to model '{}' must specify batch-size 1, since it belongs to a sequence; "
            "input '{}' has {} rows.",
            model, text::shortened(input.name), input.tensor.shape[0]),
        Reason::kShapeMismatch);
    error.fields.name = input.name;
    return error;
  }
  return {};
}

// Whether the first dimension of every input counts rows.
bool has_rows(const backend::ModelSpec& spec) {
  if (backend::static_batch(spec) > 0) return true;
  return std::ranges::all_of(spec.inputs, [](const tensor::TensorSpec& input) {
    return !input.shape.empty() && input.shape[0] == tensor::kDynamic;
  });
}

}  // namespace

Result<void> add_controls(const backend::ModelSpec& spec, const content::SequenceBatching& settings,
                          const content::SequenceStep& step, const std::string& model,
                          std::vector<tensor::NamedTensor>& inputs) {
  const bool rows = has_rows(spec);
  BASCULE_TRY(check_request(settings, model, inputs, rows));
  for (const ControlInput& control : settings.controls) {
    const auto input = std::ranges::find(spec.inputs, control.name, &tensor::TensorSpec::name);
    if (input == spec.inputs.end()) {
      return Error{
          .code = Code::kFailedPrecondition,
          .message = fmt::format("Model '{}' is configured with the control input '{}', which its file "
                                 "does not have.",
                                 model, text::shortened(control.name))};
    }
    tensor::Shape shape = row_shape(*input, rows);
    BASCULE_ASSIGN(Tensor tensor, control.kind == ControlKind::kCorrelationId
                                      ? id_tensor(control, step.id, std::move(shape), model)
                                      : flag_tensor(control, is_set(control.kind, step), std::move(shape)));
    inputs.push_back({.name = control.name, .tensor = std::move(tensor)});
  }
  return {};
}

}  // namespace bascule::serving

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpc_service.pb.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/v2/classification.h"
#include "protocol/v2/messages.h"
#include "protocol/v2/names.h"
#include "protocol/v2/raw_tensor.h"

namespace bascule::protocol::v2 {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using tensor::DataType;
using Wire = inference::ModelInferRequest;

// A message beyond this cannot be: lengths on the wire are 31 bits.
constexpr std::size_t kMaxMessage = std::numeric_limits<int>::max();

Error no_message(std::string_view what) {
  return invalid_argument(fmt::format("The message is no {}: its bytes cannot be read as one.", what));
}

// The message in two: the raw contents, which stay where they are, and everything else.
struct Halves {
  std::vector<std::span<const std::byte>> raw;
  std::string rest;
};

Result<Halves> split(const RequestBody& message, std::size_t limit) {
  if (message.bytes.size() > kMaxMessage) return no_message("ModelInferRequest");
  const auto* const data = reinterpret_cast<const std::uint8_t*>(message.bytes.data());
  CodedInputStream in(data, static_cast<int>(message.bytes.size()));
  Halves halves;
  std::size_t tensors = 0;
  while (true) {
    const int start = in.CurrentPosition();
    const std::uint32_t tag = in.ReadTag();
    if (tag == 0) break;
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    const bool counted = field == Wire::kInputsFieldNumber || field == Wire::kOutputsFieldNumber ||
                         field == Wire::kRawInputContentsFieldNumber;
    if (counted && ++tensors > 3 * kMaxTensors) {
      return invalid_argument(
          fmt::format("The request has more than {} tensors, which is the limit.", kMaxTensors));
    }
    if (tag == WireFormatLite::MakeTag(Wire::kRawInputContentsFieldNumber,
                                       WireFormatLite::WIRETYPE_LENGTH_DELIMITED)) {
      std::uint32_t size = 0;
      if (!in.ReadVarint32(&size)) return no_message("ModelInferRequest");
      const auto at = static_cast<std::size_t>(in.CurrentPosition());
      if (size > message.bytes.size() - at) return no_message("ModelInferRequest");
      halves.raw.push_back(message.bytes.subspan(at, size));
      if (!in.Skip(static_cast<int>(size))) return no_message("ModelInferRequest");
      continue;
    }
    if (!WireFormatLite::SkipField(&in, tag)) return no_message("ModelInferRequest");
    const auto from = static_cast<std::size_t>(start);
    const auto size = static_cast<std::size_t>(in.CurrentPosition()) - from;
    if (size > limit - halves.rest.size()) {
      return Error{
          .code = Code::kPayloadTooLarge,
          .message = fmt::format("The request's names and typed contents have more than {} bytes, the limit; "
                                 "send the data in raw_input_contents.",
                                 limit),
          .reason = Reason::kBodyTooLarge};
    }
    halves.rest.append(reinterpret_cast<const char*>(data) + from, size);
  }
  if (!in.ConsumedEntireMessage()) return no_message("ModelInferRequest");
  return halves;
}

// Values of one wire type as elements of the tensor's own.
template <class Element, class Values>
Result<tensor::Tensor> elements_of(const tensor::Tensor& like, const Values& values, std::string_view name) {
  BASCULE_ASSIGN(const std::size_t count, tensor::element_count(like.shape));
  if (count != static_cast<std::size_t>(values.size())) {
    return input_error(name,
                       fmt::format("has {} values in its contents for {}; shape {} needs {}.", values.size(),
                                   to_string(like.type), tensor::to_string(like.shape), count),
                       Reason::kDataSizeMismatch);
  }
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(like.type, like.shape));
  const auto elements = out.template elements<Element>();
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = values[static_cast<int>(i)];
    if constexpr (std::is_integral_v<Element> && !std::is_same_v<Element, bool>) {
      if (!std::in_range<Element>(value)) {
        return input_error(
            name, fmt::format("has the value {}, which {} cannot hold.", value, to_string(like.type)),
            Reason::kValueOutOfRange);
      }
    }
    elements[i] = static_cast<Element>(value);
  }
  return std::move(out.tensor);
}

Result<tensor::Tensor> strings_of(const tensor::Tensor& like,
                                  const google::protobuf::RepeatedPtrField<std::string>& values,
                                  std::string_view name) {
  BASCULE_ASSIGN(const std::size_t count, tensor::element_count(like.shape));
  if (count != static_cast<std::size_t>(values.size())) {
    return input_error(name,
                       fmt::format("has {} values in its contents; shape {} needs {}.", values.size(),
                                   tensor::to_string(like.shape), count),
                       Reason::kDataSizeMismatch);
  }
  const std::vector<std::string_view> views(values.begin(), values.end());
  return tensor::make_string_tensor(like.shape, views);
}

Result<tensor::Tensor> typed_tensor(const tensor::Tensor& like,
                                    const inference::InferTensorContents& contents, std::string_view name) {
  switch (like.type) {
    case DataType::kBool: return elements_of<bool>(like, contents.bool_contents(), name);
    case DataType::kInt8: return elements_of<std::int8_t>(like, contents.int_contents(), name);
    case DataType::kInt16: return elements_of<std::int16_t>(like, contents.int_contents(), name);
    case DataType::kInt32: return elements_of<std::int32_t>(like, contents.int_contents(), name);
    case DataType::kInt64: return elements_of<std::int64_t>(like, contents.int64_contents(), name);
    case DataType::kUint8: return elements_of<std::uint8_t>(like, contents.uint_contents(), name);
    case DataType::kUint16: return elements_of<std::uint16_t>(like, contents.uint_contents(), name);
    case DataType::kUint32: return elements_of<std::uint32_t>(like, contents.uint_contents(), name);
    case DataType::kUint64: return elements_of<std::uint64_t>(like, contents.uint64_contents(), name);
    case DataType::kFp32: return elements_of<float>(like, contents.fp32_contents(), name);
    case DataType::kFp64: return elements_of<double>(like, contents.fp64_contents(), name);
    case DataType::kString: return strings_of(like, contents.bytes_contents(), name);
    case DataType::kFp16:
    case DataType::kBf16: break;
  }
  return input_error(
      name,
      fmt::format("is {}, which has no typed contents; send it in raw_input_contents.", to_string(like.type)),
      Reason::kDatatypeMismatch);
}

// A whole number that is not negative, however the client wrote it.
Result<std::uint64_t> number_of(const inference::InferParameter& value, std::string_view key) {
  using Kind = inference::InferParameter::ParameterChoiceCase;
  if (value.parameter_choice_case() == Kind::kUint64Param) return value.uint64_param();
  if (value.parameter_choice_case() == Kind::kInt64Param && value.int64_param() >= 0) {
    return static_cast<std::uint64_t>(value.int64_param());
  }
  return invalid_argument(
      fmt::format("Parameter '{}' of the request must be a whole number, 0 or more.", key));
}

// What `parameters` of a tensor say of shared memory; nothing where that is nothing.
template <class Parameters>
Result<std::optional<content::SharedPart>> shared_of(const Parameters& parameters, std::string_view where) {
  std::optional<content::SharedPart> part;
  bool region = false;
  bool size = false;
  for (const auto& [key, value] : parameters) {
    if (!std::string_view(key).starts_with("shared_memory_")) continue;
    if (!part) part.emplace();
    if (key == "shared_memory_region" && value.parameter_choice_case() == value.kStringParam) {
      part->region = value.string_param();
      region = true;
    } else if (key == "shared_memory_byte_size") {
      BASCULE_ASSIGN(part->byte_size, number_of(value, key));
      size = true;
    } else if (key == "shared_memory_offset") {
      BASCULE_ASSIGN(part->offset, number_of(value, key));
    }
  }
  if (part && (!region || !size)) {
    return invalid_argument(
        fmt::format("{} names shared memory without {}; it needs both shared_memory_region and "
                    "shared_memory_byte_size.",
                    where, region ? "shared_memory_byte_size" : "shared_memory_region"));
  }
  return part;
}

// Input `i`, but for its data.
Result<tensor::NamedTensor> head_of(const Wire::InferInputTensor& wire) {
  tensor::NamedTensor input{.name = wire.name()};
  const auto type = tensor::parse_data_type(wire.datatype());
  if (!type) {
    return input_error(
        wire.name(),
        fmt::format("has the datatype '{}', which is none.", text::shortened(wire.datatype(), 40)),
        Reason::kDatatypeMismatch);
  }
  input.tensor.type = *type;
  input.tensor.shape.assign(wire.shape().begin(), wire.shape().end());
  return input;
}

Error not_as_many(std::size_t inputs, std::size_t contents) {
  return invalid_argument(
      fmt::format(
          "The request has {} inputs and {} raw_input_contents; each input that is not in shared memory "
          "needs one.",
          inputs, contents),
      Reason::kDataSizeMismatch);
}

Result<void> take_inputs(const Wire& wire, const Halves& halves, const RequestBody& message,
                         InferCall& call) {
  const auto count = static_cast<std::size_t>(wire.inputs_size());
  for (const auto& input : wire.inputs()) {
    if (halves.raw.empty() || !input.has_contents()) continue;
    // Triton's words, which its examples look for.
    return invalid_argument(
        fmt::format("contents field must not be specified when using raw_input_contents for "
                    "'{}' for model '{}'. Send one of them.",
                    text::shortened(input.name()), text::shortened(wire.model_name())),
        Reason::kDataSizeMismatch);
  }
  if (count > kMaxTensors) {
    return invalid_argument(fmt::format("The request has {} inputs; the limit is {}.", count, kMaxTensors));
  }
  if (halves.raw.size() > count) return not_as_many(count, halves.raw.size());
  std::size_t raw = 0;  // of halves.raw, used
  for (std::size_t i = 0; i < count; ++i) {
    const auto& wire_input = wire.inputs(static_cast<int>(i));
    BASCULE_ASSIGN(tensor::NamedTensor input, head_of(wire_input));
    const auto twice = std::ranges::find(call.request.inputs, input.name, &tensor::NamedTensor::name);
    if (twice != call.request.inputs.end()) {
      return input_error(input.name, "stands twice in the request.", Reason::kDuplicateInput);
    }
    BASCULE_ASSIGN(auto shared,
                   shared_of(wire_input.parameters(), "Input '" + text::shortened(input.name) + "'"));
    if (shared) {
      if (wire_input.has_contents()) {
        return input_error(input.name, "has both contents and shared memory; send one of them.",
                           Reason::kDataSizeMismatch);
      }
      call.shared_inputs.push_back({.index = i, .part = *std::move(shared)});
    } else if (halves.raw.empty()) {
      BASCULE_ASSIGN(input.tensor, typed_tensor(input.tensor, wire_input.contents(), input.name));
    } else {
      if (raw == halves.raw.size()) return not_as_many(count, halves.raw.size());
      BASCULE_TRY(attach_raw(input.tensor, halves.raw[raw++], message, input.name));
    }
    call.request.inputs.push_back(std::move(input));
  }
  if (raw != halves.raw.size()) return not_as_many(count, halves.raw.size());
  return {};
}

Result<bool> bool_of(const inference::InferParameter& value, std::string_view key) {
  using Kind = inference::InferParameter::ParameterChoiceCase;
  if (value.parameter_choice_case() == Kind::kBoolParam) return value.bool_param();
  return invalid_argument(fmt::format("Parameter '{}' of the request must be true or false.", key));
}

// True: the parameter was one of them.
Result<bool> take_sequence(const inference::InferParameter& value, std::string_view key, InferCall& call) {
  if (key != "sequence_id" && key != "sequence_start" && key != "sequence_end") return false;
  if (!call.request.sequence) call.request.sequence.emplace();
  content::SequenceStep& step = *call.request.sequence;
  if (key == "sequence_start") {
    BASCULE_ASSIGN(step.start, bool_of(value, key));
  } else if (key == "sequence_end") {
    BASCULE_ASSIGN(step.end, bool_of(value, key));
  } else if (value.parameter_choice_case() == inference::InferParameter::kStringParam) {
    if (value.string_param().size() > content::kMaxSequenceId) {
      return long_sequence_id(value.string_param().size());
    }
    step.id = value.string_param();
  } else {
    BASCULE_ASSIGN(const std::uint64_t number, number_of(value, key));
    step.id = number;
  }
  return true;
}

Result<void> take_parameters(const Wire& wire, InferCall& call) {
  for (const auto& [key, value] : wire.parameters()) {
    BASCULE_ASSIGN(const bool taken, take_sequence(value, key, call));
    if (taken) continue;
    if (key == "priority") {
      BASCULE_ASSIGN(call.request.priority, number_of(value, key));
    } else if (key == "timeout") {
      constexpr std::uint64_t kLongest = 86'400'000'000;  // a day
      BASCULE_ASSIGN(const std::uint64_t microseconds, number_of(value, key));
      if (microseconds > 0) call.timeout = std::chrono::microseconds(std::min(microseconds, kLongest));
    } else {
      BASCULE_TRY(check_custom_parameter(key));
    }
  }
  return {};
}

Result<void> take_outputs(const Wire& wire, InferCall& call) {
  if (static_cast<std::size_t>(wire.outputs_size()) > kMaxTensors) {
    return invalid_argument(
        fmt::format("The request names {} outputs; the limit is {}.", wire.outputs_size(), kMaxTensors));
  }
  for (const auto& output : wire.outputs()) {
    if (std::ranges::find(call.request.outputs, output.name()) != call.request.outputs.end()) {
      Error error = invalid_argument(
          fmt::format("Output '{}' stands twice in the request.", text::shortened(output.name())),
          Reason::kDuplicateOutput);
      error.fields.name = output.name();
      return error;
    }
    OutputChoice choice{.name = output.name(), .binary = true};
    for (const auto& [key, value] : output.parameters()) {
      if (key != "classification") continue;
      BASCULE_ASSIGN(choice.classes, number_of(value, key));
    }
    call.request.outputs.push_back(output.name());
    const std::string where = "Output '" + text::shortened(output.name()) + "'";
    BASCULE_ASSIGN(choice.shared, shared_of(output.parameters(), where));
    if (choice.shared && choice.classes > 0) return classes_elsewhere(output.name());
    call.outputs.push_back(std::move(choice));
  }
  return {};
}

const content::SharedPart* place_of(const ReplyChoice& choice, std::string_view name) {
  const auto found = std::ranges::find(choice.outputs, name, &OutputChoice::name);
  return found == choice.outputs.end() || !found->shared ? nullptr : &*found->shared;
}

void tell_place(inference::ModelInferResponse::InferOutputTensor& out, const content::SharedPart& place,
                std::size_t size) {
  auto& parameters = *out.mutable_parameters();
  parameters["shared_memory_region"].set_string_param(place.region);
  parameters["shared_memory_offset"].set_int64_param(static_cast<std::int64_t>(place.offset));
  parameters["shared_memory_byte_size"].set_int64_param(static_cast<std::int64_t>(size));
}

// Field `number` with `size` bytes to come.
std::string field_head(int number, std::size_t size) {
  std::uint8_t out[20];
  std::uint8_t* end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(
      WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), out);
  end = google::protobuf::io::CodedOutputStream::WriteVarint64ToArray(size, end);
  return {reinterpret_cast<const char*>(out), static_cast<std::size_t>(end - out)};
}

}  // namespace

Result<InferCall> parse_infer_message(const RequestBody& message, std::size_t limit) {
  BASCULE_ASSIGN(const Halves halves, split(message, limit));
  Wire wire;
  if (!wire.ParseFromString(halves.rest)) return no_message("ModelInferRequest");
  InferCall call;
  call.request.dialect = "v2-grpc";
  call.request.model = wire.model_name();
  call.request.version = wire.model_version();
  call.request.id = wire.id();
  call.binary_outputs = true;
  BASCULE_TRY(take_inputs(wire, halves, message, call));
  BASCULE_TRY(take_parameters(wire, call));
  BASCULE_TRY(take_outputs(wire, call));
  return call;
}

Result<ReplyBody> write_infer_message(const content::InferResponse& response, const ReplyChoice& choice) {
  inference::ModelInferResponse wire;
  if (response.model != nullptr) {
    wire.set_model_name(response.model->name);
    wire.set_model_version(response.model->version);
  }
  wire.set_id(response.id);
  ReplyBody reply;
  auto heads = std::make_shared<std::vector<std::string>>();
  heads->reserve(response.outputs.size());  // the views below must stay
  for (const tensor::NamedTensor& output : response.outputs) {
    tensor::Tensor tensor = output.tensor;
    const auto named = std::ranges::find(choice.outputs, output.name, &OutputChoice::name);
    if (named != choice.outputs.end() && named->classes > 0 && response.model != nullptr) {
      BASCULE_ASSIGN(tensor, classify(output.tensor, named->classes, output.name, *response.model));
    }
    auto& out = *wire.add_outputs();
    out.set_name(output.name);
    out.set_datatype(std::string(to_string(tensor.type)));
    out.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    // Clients count the outputs to find the contents of one: those that lie elsewhere have empty ones.
    const content::SharedPart* const place = place_of(choice, output.name);
    if (place != nullptr) tell_place(out, *place, tensor.bytes.size());
    const auto bytes = place != nullptr ? std::span<const std::byte>{} : tensor.bytes;
    heads->push_back(field_head(inference::ModelInferResponse::kRawOutputContentsFieldNumber, bytes.size()));
    reply.parts.push_back(std::as_bytes(std::span(heads->back())));
    if (!bytes.empty()) reply.parts.push_back(bytes);
    reply.owners.push_back(tensor.owner);
  }
  reply.owners.push_back(std::move(heads));
  if (!wire.SerializeToString(&reply.head) || reply.size() > kMaxMessage) {
    return Error{
        .code = Code::kPayloadTooLarge,
        .message =
            "The answer has more than 2 GiB, which a gRPC message cannot hold. Ask for fewer outputs, or "
            "over HTTP."};
  }
  return reply;
}

ReplyBody wrap_stream_reply(ReplyBody message) {
  const std::string head =
      field_head(inference::ModelStreamInferResponse::kInferResponseFieldNumber, message.size());
  message.head.insert(0, head);
  return message;
}

ReplyBody write_stream_error(const Error& error, std::string_view id) {
  inference::ModelStreamInferResponse wire;
  wire.set_error_message(error_text(error));
  wire.mutable_infer_response()->set_id(std::string(id));
  return {.head = wire.SerializeAsString()};
}

}  // namespace bascule::protocol::v2

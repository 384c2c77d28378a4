#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"
#include "protocol/v2/json_tensor.h"
#include "protocol/v2/names.h"
#include "protocol/v2/raw_tensor.h"
#include "protocol/v2/v2.h"

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using Kind = JsonReader::Kind;

// What parameters say of shared memory.
struct SharedFields {
  std::optional<std::string> region;
  std::optional<std::size_t> size;
  std::optional<std::size_t> offset;
  [[nodiscard]] bool any() const { return region || size || offset; }
};

// What an entry of `inputs` says, besides its data.
struct InputHead {
  std::optional<std::string> name;
  std::optional<Shape> shape;
  std::optional<DataType> type;
  std::optional<std::size_t> binary_size;
  SharedFields shared;
  std::optional<JsonReader::Mark> data;  // where it was, when it came too early to be read
  std::optional<Tensor> tensor;
  bool parameters = false;

  [[nodiscard]] std::string_view label() const { return name ? std::string_view(*name) : "?"; }
};

// Reads one request's JSON into `call`.
class Parser {
 public:
  Parser(JsonReader& json, InferCall& call) : json_(json), call_(call) {}

  bool request();
  // For each input in turn the size of its binary data, or nothing where the data was in the JSON.
  [[nodiscard]] const std::vector<std::optional<std::size_t>>& binary_sizes() const { return binary_sizes_; }

 private:
  template <class Member>
  bool object(const Member& member);
  template <class Entry>
  bool list(std::string_view name, const Entry& entry);
  bool once(bool& seen, std::string_view member, std::string_view where);
  bool text_value(std::string& out, std::string_view member, std::string_view where);
  bool bool_value(bool& out, std::string_view member, std::string_view where);
  bool size_value(std::size_t& out, std::string_view member, std::string_view where,
                  std::string_view what = "number of bytes");

  bool request_member(std::string_view key);
  bool request_parameters();
  bool timeout_value();
  bool priority_value();
  bool sequence_value(std::string_view key);
  bool parameter_value(std::string_view key, std::string_view where);
  bool shared_value(SharedFields& shared, std::string_view key, std::string_view where);
  bool finish_shared(SharedFields& shared, std::string_view where, content::SharedPart& part);
  bool finish_shared_input(InputHead& head);
  bool input();
  bool input_member(InputHead& head, std::string_view key);
  bool input_parameters(InputHead& head);
  bool input_shape(InputHead& head);
  bool input_type(InputHead& head);
  bool input_data(InputHead& head);
  bool finish_input(InputHead& head);
  bool output();
  bool output_parameters(OutputChoice& out, SharedFields& shared, bool& named);
  bool refuse(std::string message, Reason reason = Reason::kNone) {
    return json_.fail(invalid_argument(std::move(message), reason));
  }

  JsonReader& json_;
  InferCall& call_;
  std::vector<std::optional<std::size_t>> binary_sizes_;
  std::vector<bool> binary_named_;  // outputs that chose for themselves
  bool id_ = false, parameters_ = false, inputs_ = false, outputs_ = false;
  bool binary_outputs_named_ = false, timeout_ = false, priority_ = false;
  bool sequence_id_ = false, sequence_start_ = false, sequence_end_ = false;
};

template <class Member>
bool Parser::object(const Member& member) {
  bool more = false;
  if (!json_.begin_object()) return false;
  while (json_.next_member(more) && more) {
    if (!member(json_.key())) return false;
  }
  return !json_.failed();
}

template <class Entry>
bool Parser::list(std::string_view name, const Entry& entry) {
  std::size_t count = 0;
  bool more = false;
  Kind kind{};
  if (!json_.peek(kind)) return false;
  if (kind != Kind::kArray) {
    return refuse(fmt::format("\"{}\" of the request must be an array (byte {}).", name, json_.offset()));
  }
  if (!json_.begin_array()) return false;
  while (json_.next_element(more) && more) {
    if (count++ == kMaxTensors) {
      return refuse(fmt::format("The request has more than {} {}, which is the limit.", kMaxTensors, name));
    }
    if (!entry()) return false;
  }
  return !json_.failed();
}

bool Parser::once(bool& seen, std::string_view member, std::string_view where) {
  if (seen) {
    return refuse(fmt::format("\"{}\" stands twice in {} (byte {}).", member, where, json_.offset()),
                  Reason::kJsonSyntax);
  }
  seen = true;
  return true;
}

bool Parser::text_value(std::string& out, std::string_view member, std::string_view where) {
  Kind kind{};
  if (!json_.peek(kind)) return false;
  if (kind != Kind::kString) {
    return refuse(fmt::format("\"{}\" of {} must be a string (byte {}).", member, where, json_.offset()));
  }
  std::string_view value;
  if (!json_.read_string(value)) return false;
  out = value;
  return true;
}

bool Parser::bool_value(bool& out, std::string_view member, std::string_view where) {
  Kind kind{};
  if (!json_.peek(kind)) return false;
  if (kind != Kind::kBool) {
    return refuse(
        fmt::format("\"{}\" of {} must be true or false (byte {}).", member, where, json_.offset()));
  }
  return json_.read_bool(out);
}

bool Parser::size_value(std::size_t& out, std::string_view member, std::string_view where,
                        std::string_view what) {
  Kind kind{};
  if (!json_.peek(kind)) return false;
  std::string_view token;
  bool integer = false;
  if (kind == Kind::kNumber) {
    if (!json_.read_number(token, integer)) return false;
    const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), out);
    if (integer && code == std::errc() && end == token.data() + token.size()) return true;
  }
  return refuse(fmt::format("\"{}\" of {} must be a {}, 0 or more; {} is not (byte {}).", member, where, what,
                            token.empty() ? "its value" : text::shortened(token, 40), json_.offset()),
                Reason::kDataSizeMismatch);
}

bool Parser::request() {
  if (!object([&](std::string_view key) { return request_member(key); })) return false;
  if (!json_.finish()) return false;
  if (!inputs_) return refuse("The request has no \"inputs\"; it needs an array of them.");
  // `binary_data_output` may come behind `outputs`; what an output says itself wins.
  for (std::size_t i = 0; i < call_.outputs.size(); ++i) {
    if (!binary_named_[i]) call_.outputs[i].binary = call_.binary_outputs;
    call_.request.outputs.push_back(call_.outputs[i].name);
  }
  return true;
}

bool Parser::request_member(std::string_view key) {
  constexpr std::string_view kWhere = "the request";
  if (key == "id") return once(id_, "id", kWhere) && text_value(call_.request.id, "id", kWhere);
  if (key == "parameters") return once(parameters_, "parameters", kWhere) && request_parameters();
  if (key == "inputs") {
    return once(inputs_, "inputs", kWhere) && list("inputs", [&] { return input(); });
  }
  if (key == "outputs") {
    return once(outputs_, "outputs", kWhere) && list("outputs", [&] { return output(); });
  }
  return json_.skip_value();
}

bool Parser::request_parameters() {
  return object([&](std::string_view key) {
    if (key == "timeout") return once(timeout_, "timeout", "the request's parameters") && timeout_value();
    if (key == "priority") return once(priority_, "priority", "the request's parameters") && priority_value();
    if (key == "sequence_id" || key == "sequence_start" || key == "sequence_end") return sequence_value(key);
    if (key != "binary_data_output") {
      auto custom = check_custom_parameter(key);
      return custom ? parameter_value(key, "the request") : json_.fail(std::move(custom).error());
    }
    return once(binary_outputs_named_, "binary_data_output", "the request's parameters") &&
           bool_value(call_.binary_outputs, "binary_data_output", "the request's parameters");
  });
}

bool Parser::timeout_value() {
  std::size_t microseconds = 0;
  if (!size_value(microseconds, "timeout", "the request's parameters", "number of microseconds")) {
    return false;
  }
  constexpr std::size_t kLongest = 86'400'000'000;  // a day
  if (microseconds > 0) call_.timeout = std::chrono::microseconds(std::min(microseconds, kLongest));
  return true;
}

bool Parser::priority_value() {
  std::size_t level = 0;
  if (!size_value(level, "priority", "the request's parameters", "whole number")) return false;
  call_.request.priority = level;
  return true;
}

bool Parser::sequence_value(std::string_view key) {
  constexpr std::string_view kWhere = "the request's parameters";
  if (!call_.request.sequence) call_.request.sequence.emplace();
  content::SequenceStep& step = *call_.request.sequence;
  if (key == "sequence_start") {
    return once(sequence_start_, "sequence_start", kWhere) &&
           bool_value(step.start, "sequence_start", kWhere);
  }
  if (key == "sequence_end") {
    return once(sequence_end_, "sequence_end", kWhere) && bool_value(step.end, "sequence_end", kWhere);
  }
  Kind kind{};
  if (!once(sequence_id_, "sequence_id", kWhere) || !json_.peek(kind)) return false;
  if (kind != Kind::kString) {
    std::size_t number = 0;
    if (!size_value(number, "sequence_id", kWhere, "string, or a whole number")) return false;
    step.id = std::uint64_t{number};
    return true;
  }
  std::string& text = step.id.emplace<std::string>();
  if (!text_value(text, "sequence_id", kWhere)) return false;
  return text.size() <= content::kMaxSequenceId || json_.fail(long_sequence_id(text.size()));
}

// A parameter that nothing here acts on: a string, number or boolean, as the protocol says.
bool Parser::parameter_value(std::string_view key, std::string_view where) {
  Kind kind{};
  if (!json_.peek(kind)) return false;
  if (kind == Kind::kObject || kind == Kind::kArray) {
    return refuse(fmt::format("Parameter '{}' of {} must be a string, a number or a boolean (byte {}).",
                              text::shortened(key), where, json_.offset()));
  }
  return json_.skip_value();
}

bool Parser::shared_value(SharedFields& shared, std::string_view key, std::string_view where) {
  bool seen = false;
  if (key == "shared_memory_region") {
    seen = shared.region.has_value();
    return once(seen, key, where) && text_value(shared.region.emplace(), "shared_memory_region", where);
  }
  if (key == "shared_memory_byte_size") {
    seen = shared.size.has_value();
    return once(seen, key, where) && size_value(shared.size.emplace(), "shared_memory_byte_size", where);
  }
  if (key == "shared_memory_offset") {
    seen = shared.offset.has_value();
    return once(seen, key, where) && size_value(shared.offset.emplace(), "shared_memory_offset", where);
  }
  return parameter_value(key, where);
}

bool Parser::finish_shared(SharedFields& shared, std::string_view where, content::SharedPart& part) {
  if (!shared.region || !shared.size) {
    return refuse(
        fmt::format("{} names shared memory without {}; it needs both shared_memory_region and "
                    "shared_memory_byte_size.",
                    where, shared.region ? "shared_memory_byte_size" : "shared_memory_region"));
  }
  part = {
      .region = *std::move(shared.region), .offset = shared.offset.value_or(0), .byte_size = *shared.size};
  return true;
}

bool Parser::finish_shared_input(InputHead& head) {
  if (head.tensor || head.binary_size) {
    return json_.fail(
        input_error(*head.name,
                    "has both \"shared_memory_region\" and other data; its values come from one "
                    "place.",
                    Reason::kDataSizeMismatch));
  }
  SharedInput input{.index = call_.request.inputs.size(), .part = {}};
  const std::string where = "input '" + text::shortened(head.label()) + "'";
  if (!finish_shared(head.shared, where, input.part)) return false;
  call_.shared_inputs.push_back(std::move(input));
  return true;
}

bool Parser::input() {
  Kind kind{};
  if (!json_.peek(kind)) return false;
  InputHead head;
  return object([&](std::string_view key) { return input_member(head, key); }) && finish_input(head);
}

bool Parser::input_member(InputHead& head, std::string_view key) {
  const std::string where = "input '" + text::shortened(head.label()) + "'";
  bool seen = false;
  if (key == "name") {
    seen = head.name.has_value();
    return once(seen, "name", where) && text_value(head.name.emplace(), "name", where);
  }
  if (key == "shape") {
    seen = head.shape.has_value();
    return once(seen, "shape", where) && input_shape(head);
  }
  if (key == "datatype") {
    seen = head.type.has_value();
    return once(seen, "datatype", where) && input_type(head);
  }
  if (key == "parameters") return once(head.parameters, "parameters", where) && input_parameters(head);
  if (key == "data") {
    seen = head.data.has_value() || head.tensor.has_value();
    return once(seen, "data", where) && input_data(head);
  }
  return json_.skip_value();
}

bool Parser::input_parameters(InputHead& head) {
  const std::string where = "input '" + text::shortened(head.label()) + "'";
  return object([&](std::string_view key) {
    if (key != "binary_data_size") return shared_value(head.shared, key, where);
    bool seen = head.binary_size.has_value();
    return once(seen, "binary_data_size", where) &&
           size_value(head.binary_size.emplace(), "binary_data_size", where);
  });
}

bool Parser::input_shape(InputHead& head) {
  Shape& shape = head.shape.emplace();
  bool more = false;
  if (!json_.begin_array()) return false;
  while (json_.next_element(more) && more) {
    if (shape.size() == tensor::kMaxRank) {
      return json_.fail(input_error(
          head.label(), fmt::format("has more than {} dimensions, which is the limit.", tensor::kMaxRank),
          Reason::kShapeMismatch));
    }
    Kind kind{};
    if (!json_.peek(kind)) return false;
    std::string_view token = "something else";
    bool integer = false;
    if (kind == Kind::kNumber && !json_.read_number(token, integer)) return false;
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (!integer || code != std::errc() || value < 0) {
      return json_.fail(input_error(head.label(),
                                    fmt::format("has {} as dimension {} of its shape; a whole number, 0 or "
                                                "more, is needed.",
                                                text::shortened(token, 40), shape.size()),
                                    Reason::kShapeMismatch));
    }
    shape.push_back(value);
  }
  return !json_.failed();
}

bool Parser::input_type(InputHead& head) {
  std::string name;
  if (!text_value(name, "datatype", "an input")) return false;
  head.type = tensor::parse_data_type(name);
  if (head.type) return true;
  Error error =
      input_error(head.label(),
                  fmt::format("has the unknown datatype '{}'; known are BOOL, UINT8 to UINT64, INT8 "
                              "to INT64, FP16, BF16, FP32, FP64 and BYTES.",
                              text::shortened(name, 40)),
                  Reason::kDatatypeMismatch);
  error.fields.got = name;
  return json_.fail(std::move(error));
}

bool Parser::input_data(InputHead& head) {
  if (!head.shape || !head.type || !head.name) {
    head.data = json_.mark();  // read again once all is known
    return json_.skip_value();
  }
  auto tensor = read_json_tensor(json_, *head.type, *head.shape, *head.name);
  if (!tensor) return json_.fail(std::move(tensor).error());
  head.tensor = *std::move(tensor);
  return true;
}

bool Parser::finish_input(InputHead& head) {
  if (!head.name)
    return refuse(fmt::format("An input has no \"name\" (it ends at byte {}).", json_.offset()));
  const auto lacks = [&](std::string_view member) {
    return json_.fail(input_error(*head.name, fmt::format("has no \"{}\".", member), Reason::kNone));
  };
  if (!head.shape) return lacks("shape");
  if (!head.type) return lacks("datatype");
  if (head.data) {
    const JsonReader::Mark here = json_.mark();
    json_.go_to(*head.data);
    if (!input_data(head)) return false;
    json_.go_to(here);
  }
  const bool shared = head.shared.any();
  if (shared && !finish_shared_input(head)) return false;
  if (head.tensor && head.binary_size) {
    return json_.fail(input_error(*head.name,
                                  "has both \"data\" and \"binary_data_size\"; its values come either in the "
                                  "JSON or behind it.",
                                  Reason::kDataSizeMismatch));
  }
  if (!head.tensor && !head.binary_size && !shared) {
    return json_.fail(input_error(*head.name,
                                  "has no values: neither \"data\" nor the parameter \"binary_data_size\".",
                                  Reason::kDataSizeMismatch));
  }
  for (const tensor::NamedTensor& other : call_.request.inputs) {
    if (other.name == *head.name) {
      return json_.fail(input_error(*head.name, "stands twice in the request.", Reason::kDuplicateInput));
    }
  }
  if (!head.tensor) head.tensor = Tensor{.type = *head.type, .shape = *std::move(head.shape)};
  binary_sizes_.push_back(head.binary_size);
  call_.request.inputs.push_back({*std::move(head.name), *std::move(head.tensor)});
  return true;
}

bool Parser::output() {
  OutputChoice out;
  SharedFields shared;
  bool name = false;
  bool parameters = false;
  bool binary_named = false;
  const auto member = [&](std::string_view key) {
    const std::string where = "output '" + text::shortened(out.name) + "'";
    if (key == "name") return once(name, "name", where) && text_value(out.name, "name", where);
    if (key == "parameters") {
      return once(parameters, "parameters", where) && output_parameters(out, shared, binary_named);
    }
    return json_.skip_value();
  };
  if (!object(member)) return false;
  if (!name) return refuse(fmt::format("An output has no \"name\" (it ends at byte {}).", json_.offset()));
  if (shared.any() &&
      !finish_shared(shared, "output '" + text::shortened(out.name) + "'", out.shared.emplace())) {
    return false;
  }
  if (out.shared && out.classes > 0) return json_.fail(classes_elsewhere(out.name));
  if (std::ranges::find(call_.outputs, out.name, &OutputChoice::name) != call_.outputs.end()) {
    Error error =
        invalid_argument(fmt::format("Output '{}' stands twice in the request.", text::shortened(out.name)),
                         Reason::kDuplicateOutput);
    error.fields.name = out.name;
    return json_.fail(std::move(error));
  }
  call_.outputs.push_back(std::move(out));
  binary_named_.push_back(binary_named);
  return true;
}

bool Parser::output_parameters(OutputChoice& out, SharedFields& shared, bool& named) {
  const std::string where = "output '" + text::shortened(out.name) + "'";
  bool classification = false;
  return object([&](std::string_view key) {
    if (key == "binary_data") {
      return once(named, "binary_data", where) && bool_value(out.binary, "binary_data", where);
    }
    if (key == "classification") {
      return once(classification, "classification", where) &&
             size_value(out.classes, "classification", where, "number of classes");
    }
    return shared_value(shared, key, where);
  });
}

Error size_error(std::string message) {
  return invalid_argument(std::move(message), Reason::kDataSizeMismatch);
}

}  // namespace

Result<InferCall> parse_infer(const RequestBody& body, std::optional<std::size_t> header_length) {
  const std::size_t head = header_length.value_or(body.bytes.size());
  if (head > body.bytes.size()) {
    Error error = size_error(fmt::format(
        "Inference-Header-Content-Length is {}, but the body has only {} bytes.", head, body.bytes.size()));
    error.fields.got = std::to_string(head);
    error.fields.limit = std::to_string(body.bytes.size());
    return error;
  }
  constexpr std::string_view kWhat = "The request";
  const std::string_view text(reinterpret_cast<const char*>(body.bytes.data()), head);
  BASCULE_TRY(check_utf8(text, kWhat));
  InferCall call;
  call.request.dialect = "v2";
  JsonReader json(text, kWhat);
  Parser parser(json, call);
  if (!parser.request()) return json.error();

  std::span<const std::byte> rest = body.bytes.subspan(head);
  for (std::size_t i = 0; i < call.request.inputs.size(); ++i) {
    const std::optional<std::size_t> size = parser.binary_sizes()[i];
    if (!size) continue;
    tensor::NamedTensor& input = call.request.inputs[i];
    if (!header_length) {
      return input_error(input.name,
                         "has a \"binary_data_size\", but the request has no header "
                         "Inference-Header-Content-Length that says where the JSON ends.",
                         Reason::kDataSizeMismatch);
    }
    if (*size > rest.size()) {
      return input_error(
          input.name,
          fmt::format("has a \"binary_data_size\" of {}, but only {} bytes are left in the body.", *size,
                      rest.size()),
          Reason::kDataSizeMismatch);
    }
    BASCULE_TRY(attach_raw(input.tensor, rest.first(*size), body, input.name));
    rest = rest.subspan(*size);
  }
  if (!rest.empty()) {
    return size_error(fmt::format(
        "{} bytes of binary data follow the JSON, but the inputs name only {} of them; the sizes must "
        "add up.",
        body.bytes.size() - head, body.bytes.size() - head - rest.size()));
  }
  return call;
}

Result<InferCall> parse_raw_infer(const RequestBody& body, const content::ModelInfo& model) {
  if (model.inputs.size() != 1) {
    return invalid_argument(fmt::format(
        "Model '{}' has {} inputs; a raw binary request (Inference-Header-Content-Length: 0) needs a model "
        "with exactly one.",
        model.name, model.inputs.size()));
  }
  const tensor::TensorSpec& spec = model.inputs[0];
  Tensor tensor{.type = spec.type, .shape = spec.shape};
  if (model.batchable && !tensor.shape.empty()) tensor.shape[0] = 1;
  InferCall call;
  call.request.dialect = "v2";
  call.binary_outputs = true;
  if (spec.type == DataType::kString) {
    for (std::int64_t& dimension : tensor.shape) {
      if (dimension == tensor::kDynamic) dimension = 1;
    }
    const std::string_view value(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
    auto made = tensor::make_string_tensor(tensor.shape, {&value, 1});
    if (!made) return input_error(spec.name, "is wrong: " + made.error().message, Reason::kDataSizeMismatch);
    call.request.inputs.push_back({spec.name, *std::move(made)});
    return call;
  }
  const auto open = std::ranges::count(tensor.shape, tensor::kDynamic);
  if (open > 1) {
    return input_error(
        spec.name,
        fmt::format("has {} open dimensions in {}; a raw binary request may leave one open. Send "
                    "the shape as JSON before the data.",
                    open, tensor::to_string(spec.shape)),
        Reason::kShapeMismatch);
  }
  if (open == 1) {
    const auto place = std::ranges::find(tensor.shape, tensor::kDynamic);
    *place = 1;
    BASCULE_ASSIGN(const std::size_t row,
                   tensor::byte_count(tensor.shape, tensor::element_size(tensor.type)));
    if (row == 0 || body.bytes.size() % row != 0) {
      return input_error(spec.name,
                         fmt::format("has rows of {} bytes (shape {}); {} bytes are no whole number of them.",
                                     row, tensor::to_string(spec.shape), body.bytes.size()),
                         Reason::kDataSizeMismatch);
    }
    *place = static_cast<std::int64_t>(body.bytes.size() / row);
  }
  BASCULE_TRY(attach_raw(tensor, body.bytes, body, spec.name));
  call.request.inputs.push_back({spec.name, std::move(tensor)});
  return call;
}

}  // namespace bascule::protocol::v2

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "content/model_info.h"
#include "protocol/multipart.h"
#include "protocol/ultralytics/ultralytics.h"
#include "protocol/v2/generate.h"
#include "protocol/v2/messages.h"
#include "protocol/v2/model_config.h"
#include "protocol/v2/model_load.h"
#include "protocol/v2/settings.h"
#include "protocol/v2/shared_memory.h"
#include "protocol/v2/v2.h"
#include "targets.h"

namespace bascule::fuzz {
namespace {

using protocol::RequestBody;
namespace v2 = protocol::v2;

// As a connection has it: memory of its own, aligned, kept alive by its owner.
RequestBody body_of(Bytes bytes) {
  auto copy = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
  return {.bytes = *copy, .owner = copy};
}

template <class T>
bool check(const Result<T>& result, protocol::Dialect dialect = protocol::Dialect::kV2) {
  if (!result) check_refusal(result.error(), dialect);
  return true;
}

bool check_call(const Result<v2::InferCall>& call) {
  if (!call) {
    check_refusal(call.error());
    return true;
  }
  // What a batch will copy into its slot without looking at it again.
  for (std::size_t i = 0; i < call->request.inputs.size(); ++i) {
    const tensor::Tensor& input = call->request.inputs[i].tensor;
    if (std::ranges::find(call->shared_inputs, i, &v2::SharedInput::index) != call->shared_inputs.end())
      continue;
    if (input.type == tensor::DataType::kString) {
      BASCULE_CHECK(tensor::string_elements(input).has_value());
    } else {
      BASCULE_CHECK(tensor::byte_count(input.shape, tensor::element_size(input.type)).value_or(SIZE_MAX) ==
                    input.bytes.size());
    }
  }
  return true;
}

bool v2_json(Bytes bytes) { return check_call(v2::parse_infer(body_of(bytes), std::nullopt)); }

// The first two bytes are the header field's number.
bool v2_binary(Bytes bytes) {
  if (bytes.size() < 2) return false;
  const std::size_t length = std::to_integer<std::size_t>(bytes[0]) | std::to_integer<std::size_t>(bytes[1])
                                                                          << 8;
  return check_call(v2::parse_infer(body_of(bytes.subspan(2)), length));
}

content::ModelInfo model_of(std::vector<tensor::TensorSpec> inputs, std::vector<tensor::TensorSpec> outputs) {
  content::ModelInfo model;
  model.name = "m";
  model.version = "1";
  model.inputs = std::move(inputs);
  model.outputs = std::move(outputs);
  return model;
}

bool v2_raw(Bytes bytes) {
  const Choice choice = choose(bytes, 4);
  using enum tensor::DataType;
  static const content::ModelInfo models[4] = {
      model_of({{.name = "x", .type = kFp32, .shape = tensor::Shape{-1, 4}}}, {}),
      model_of({{.name = "x", .type = kString, .shape = tensor::Shape{1}}}, {}),
      model_of({{.name = "x", .type = kUint8, .shape = tensor::Shape{1, -1, 3}}}, {}),
      model_of({{.name = "x", .type = kInt64, .shape = tensor::Shape{}}}, {}),
  };
  return check_call(v2::parse_raw_infer(body_of(choice.rest), models[choice.which]));
}

bool v2_requests(Bytes bytes) {
  const Choice choice = choose(bytes, 5);
  const RequestBody body = body_of(choice.rest);
  switch (choice.which) {
    case 0: return check(v2::parse_index_request(body));
    case 1: return check(v2::parse_load_request(body, "m"));
    case 2: return check(v2::parse_register_request("r", body));
    case 3: return check(v2::parse_log_settings(body, log::Level{}));
    default: return check(v2::check_trace_settings(body));
  }
}

bool v2_messages(Bytes bytes) {
  const Choice choice = choose(bytes, 9);
  const RequestBody body = body_of(choice.rest);
  switch (choice.which) {
    case 0: return check_call(v2::parse_infer_message(body, 1U << 16));
    case 1: return check(v2::parse_named_message(body));
    case 2: return check(v2::parse_index_message(body));
    case 3: return check(v2::parse_unload_message(body));
    case 4: return check(v2::parse_load_message(body));
    case 5: return check(v2::parse_register_message(body));
    case 6: return check(v2::parse_region_message(body));
    case 7: return check(v2::parse_log_settings_message(body, log::Level{}));
    default: return check(v2::parse_trace_setting_message(body));
  }
}

bool model_config(Bytes bytes) {
  const Choice choice = choose(bytes, 2);
  if (choice.which == 0) return check(v2::parse_model_config(text_of(choice.rest), "config.pbtxt"));
  return check(v2::parse_model_config_json(text_of(choice.rest), "the parameter 'config'"));
}

bool generate(Bytes bytes) {
  const Choice choice = choose(bytes, 2);
  using enum tensor::DataType;
  static const content::ModelInfo models[2] = {
      model_of({{.name = "text", .type = kString, .shape = tensor::Shape{1}}},
               {{.name = "out", .type = kString, .shape = tensor::Shape{1}}}),
      model_of({{.name = "a", .type = kFp32, .shape = tensor::Shape{-1}},
                {.name = "b", .type = kInt64, .shape = tensor::Shape{1, 2}},
                {.name = "c", .type = kBool, .shape = tensor::Shape{}}},
               {{.name = "out", .type = kFp32, .shape = tensor::Shape{-1}}}),
  };
  return check(v2::parse_generate(body_of(choice.rest), models[choice.which]));
}

bool predict(Bytes bytes) {
  using enum protocol::Dialect;
  constexpr std::string_view kTypes[] = {"multipart/form-data; boundary=b",
                                         "application/x-www-form-urlencoded", "application/octet-stream",
                                         "image/jpeg", ""};
  constexpr protocol::Dialect kDialects[] = {kUltralytics, kHub, kHubFirst};
  const Choice choice = choose(bytes, 18);
  const protocol::Dialect dialect = kDialects[choice.which % 3];
  const std::size_t type = choice.which / 3;
  if (type == 5) {  // the query
    return check(protocol::ultralytics::parse_predict({}, "", text_of(choice.rest), dialect), dialect);
  }
  return check(protocol::ultralytics::parse_predict(body_of(choice.rest), kTypes[type], {}, dialect),
               dialect);
}

// The first line is the Content-Type's value.
bool multipart(Bytes bytes) {
  const std::string_view text = text_of(bytes);
  const std::size_t line = std::min(text.find('\n'), text.size());
  const auto boundary = protocol::multipart_boundary(text.substr(0, line));
  if (!boundary) return check(boundary);
  BASCULE_CHECK(!boundary->empty() && boundary->size() <= protocol::kMaxBoundary);
  const Bytes body = bytes.subspan(std::min(line + 1, bytes.size()));
  const auto parts = protocol::parse_multipart(body, *boundary);
  if (!parts) return check(parts);
  BASCULE_CHECK(parts->size() <= protocol::kMaxParts);
  for (const protocol::Part& part : *parts)
    BASCULE_CHECK(!part.name.empty() && part.bytes.size() <= body.size());
  return true;
}

constexpr Target kTargets[] = {
    {"v2_json", v2_json, 8192},         {"v2_binary", v2_binary, 8192},
    {"v2_raw", v2_raw, 4096},           {"v2_requests", v2_requests, 8192},
    {"v2_messages", v2_messages, 8192}, {"model_config", model_config, 8192},
    {"generate", generate, 4096},       {"predict", predict, 8192},
    {"multipart", multipart, 8192},
};

}  // namespace

std::span<const Target> protocol_targets() { return kTargets; }

}  // namespace bascule::fuzz

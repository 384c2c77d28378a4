#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"
#include "protocol/v2/model_config.h"
#include "protocol/v2/model_config_parts.h"
#include "protocol/v2/raw_tensor.h"

namespace bascule::protocol::v2 {
namespace {

using google::protobuf::TextFormat;
using Wire = inference::ModelConfig;

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxTensorName = 512;
constexpr std::size_t kMaxParameters = 1024;
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 40U;

// Keeps the first thing that the text's parser says is wrong.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("{}:{}: {}", line + 1, column + 1, message);
  }
  void AddWarning(int /*line*/, google::protobuf::io::ColumnNumber /*column*/,
                  const std::string& /*message*/) override {}
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Result<void> check_size(std::string_view text, std::string_view origin) {
  if (text.size() <= kMaxModelConfig) return {};
  return invalid_argument(
      fmt::format("{} has {} bytes; at most {} are read.", origin, text.size(), kMaxModelConfig));
}

content::TensorFormat format_of(inference::ModelInput::Format format) {
  switch (format) {
    case inference::ModelInput::FORMAT_NHWC: return content::TensorFormat::kNhwc;
    case inference::ModelInput::FORMAT_NCHW: return content::TensorFormat::kNchw;
    default: return content::TensorFormat::kNone;
  }
}

// What inputs and outputs have in common; their messages differ, and their fields' numbers.
template <class Tensor>
Result<content::ConfiguredTensor> read_tensor(const Tensor& wire, const ConfigNode& node) {
  content::ConfiguredTensor out;
  BASCULE_ASSIGN(out.name, read_tensor_name(wire.name(), node, Tensor::kNameFieldNumber));
  out.type = data_type_of(wire.data_type());
  BASCULE_ASSIGN(out.dims, read_dims(wire.dims(), node, Tensor::kDimsFieldNumber));
  if (wire.has_reshape()) {
    using Reshape = inference::ModelTensorReshape;
    const ConfigNode below = node.child(Tensor::kReshapeFieldNumber, wire.reshape());
    BASCULE_ASSIGN(out.reshape, read_dims(wire.reshape().shape(), below, Reshape::kShapeFieldNumber));
    if (std::ranges::count(*out.reshape, tensor::kDynamic) !=
        std::ranges::count(out.dims, tensor::kDynamic)) {
      return node.error(
          Tensor::kReshapeFieldNumber,
          fmt::format("of '{}' is {}; it must have as many open dimensions as dims, which are {}.", out.name,
                      tensor::to_string(*out.reshape), tensor::to_string(out.dims)));
    }
  }
  out.is_shape_tensor = wire.is_shape_tensor();
  return out;
}

Result<void> add_unique(std::vector<content::ConfiguredTensor>& all, content::ConfiguredTensor tensor,
                        const ConfigNode& node, int number, int index) {
  if (std::ranges::find(all, tensor.name, &content::ConfiguredTensor::name) != all.end()) {
    return node.error(number, fmt::format("'{}' is declared twice.", tensor.name), index);
  }
  all.push_back(std::move(tensor));
  return {};
}

Result<void> read_tensors(const Wire& wire, const ConfigNode& node, content::ModelConfig& out) {
  if (static_cast<std::size_t>(std::max(wire.input_size(), wire.output_size())) > kMaxTensors) {
    return node.error(Wire::kInputFieldNumber,
                      fmt::format("and output: there are more than {}, the limit.", kMaxTensors));
  }
  for (int i = 0; i < wire.input_size(); ++i) {
    const inference::ModelInput& input = wire.input(i);
    BASCULE_ASSIGN(content::ConfiguredTensor tensor,
                   read_tensor(input, node.child(Wire::kInputFieldNumber, input, i)));
    tensor.format = format_of(input.format());
    tensor.optional = input.optional();
    const auto needed = tensor.format == content::TensorFormat::kNone ? tensor.dims.size() : std::size_t{3};
    if (tensor.dims.size() != needed) {
      return node.error(Wire::kInputFieldNumber,
                        fmt::format("'{}' has a format of pictures, but {} dims; it needs 3.", tensor.name,
                                    tensor.dims.size()),
                        i);
    }
    BASCULE_TRY(add_unique(out.inputs, std::move(tensor), node, Wire::kInputFieldNumber, i));
  }
  for (int i = 0; i < wire.output_size(); ++i) {
    const inference::ModelOutput& output = wire.output(i);
    BASCULE_ASSIGN(content::ConfiguredTensor tensor,
                   read_tensor(output, node.child(Wire::kOutputFieldNumber, output, i)));
    tensor.labels = output.label_filename();
    BASCULE_TRY(add_unique(out.outputs, std::move(tensor), node, Wire::kOutputFieldNumber, i));
  }
  return {};
}

Result<content::ModelConfig> understood(const Wire& wire, const ConfigNode& node, std::string_view origin) {
  content::ModelConfig out;
  out.origin = std::string(origin);
  out.name = wire.name();
  out.platform = wire.platform();
  out.backend = wire.backend();
  out.default_model_filename = wire.default_model_filename();
  if (wire.max_batch_size() < 0) {
    return node.error(Wire::kMaxBatchSizeFieldNumber,
                      fmt::format("is {}; it must be 0 or more.", wire.max_batch_size()));
  }
  if (node.said(Wire::kMaxBatchSizeFieldNumber)) {
    out.max_batch_size = static_cast<std::size_t>(wire.max_batch_size());
  }
  if (static_cast<std::size_t>(wire.parameters_size()) > kMaxParameters) {
    return node.error(Wire::kParametersFieldNumber,
                      fmt::format("are {}; at most {} are taken.", wire.parameters_size(), kMaxParameters));
  }
  for (const auto& [key, value] : wire.parameters()) out.parameters[key] = value.string_value();
  BASCULE_TRY(read_tensors(wire, node, out));
  BASCULE_TRY(read_settings(wire, node, out));
  BASCULE_TRY(read_warm_up(wire, node, out));
  BASCULE_TRY(read_sequences(wire, node, out));
  BASCULE_TRY(read_ensemble(wire, node, out));
  out.not_done = not_done_of(wire, node);
  out.wire = wire.SerializeAsString();
  return out;
}

}  // namespace

std::optional<tensor::DataType> data_type_of(inference::DataType type) {
  if (type == inference::TYPE_STRING) return tensor::DataType::kString;
  const std::string& name = inference::DataType_Name(type);
  return tensor::parse_data_type(std::string_view(name).substr(std::min<std::size_t>(name.size(), 5)));
}

inference::DataType wire_type_of(tensor::DataType type) {
  if (type == tensor::DataType::kString) return inference::TYPE_STRING;
  inference::DataType out = inference::TYPE_INVALID;
  inference::DataType_Parse(fmt::format("TYPE_{}", tensor::to_string(type)), &out);
  return out;
}

Result<tensor::Shape> read_dims(const google::protobuf::RepeatedField<std::int64_t>& dims,
                                const ConfigNode& node, int number, bool open_too) {
  if (static_cast<std::size_t>(dims.size()) > tensor::kMaxRank) {
    return node.error(number, fmt::format("are {}; at most {} are taken.", dims.size(), tensor::kMaxRank));
  }
  for (int i = 0; i < dims.size(); ++i) {
    const std::int64_t dim = dims[i];
    if ((dim >= 1 && dim <= kMaxDimension) || (open_too && dim == tensor::kDynamic)) continue;
    return node.error(number,
                      fmt::format("hold {}; a dimension is 1 to {}{}.", dim, kMaxDimension,
                                  open_too ? ", or -1 where requests choose" : ""),
                      i);
  }
  return tensor::Shape(dims.begin(), dims.end());
}

Result<std::string> read_tensor_name(const std::string& name, const ConfigNode& node, int number) {
  if (name.empty()) return node.error(number, "is missing.");
  if (name.size() > kMaxTensorName) {
    return node.error(number,
                      fmt::format("has {} bytes; at most {} are taken.", name.size(), kMaxTensorName));
  }
  if (text::escape_controls(name) != name) {
    return node.error(number, "holds control characters, or is no UTF-8.");
  }
  return name;
}

Result<content::ModelConfig> parse_model_config(std::string_view text, std::string_view origin) {
  BASCULE_TRY(check_size(text, origin));
  BASCULE_TRY(check_utf8(text, origin));
  Wire wire;
  FirstError problem;
  TextFormat::ParseInfoTree tree;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&problem);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(kMaxDepth);
  google::protobuf::io::ArrayInputStream in(text.data(), static_cast<int>(text.size()));
  if (!parser.Parse(&in, &wire)) {
    return invalid_argument(
        fmt::format("{}:{}", origin, text::escape_controls(text::shortened(problem.text(), 300))));
  }
  return understood(wire, ConfigNode(wire, &tree, origin), origin);
}

Result<content::ModelConfig> parse_model_config_json(std::string_view json, std::string_view origin) {
  BASCULE_TRY(check_size(json, origin));
  BASCULE_TRY(check_utf8(json, origin));
  // protobuf's own reader takes more than JSON is.
  JsonReader reader(json, origin);
  if (!reader.skip_value() || !reader.finish()) return reader.error();
  google::protobuf::util::JsonParseOptions options;
  options.case_insensitive_enum_parsing = true;
  Wire wire;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(json), &wire, options);
  if (!parsed.ok()) {
    return invalid_argument(
        fmt::format("{} is no model configuration: {}", origin,
                    text::escape_controls(text::shortened(std::string(parsed.message()), 300))));
  }
  return understood(wire, ConfigNode(wire, nullptr, origin), origin);
}

}  // namespace bascule::protocol::v2

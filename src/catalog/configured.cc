#include "catalog/configured.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/text.h"

namespace bascule::catalog {
namespace {

using backend::Executable;
using backend::ModelSpec;
using content::ConfiguredTensor;
using content::ControlInput;
using tensor::NamedTensor;
using tensor::Shape;
using tensor::TensorSpec;

constexpr std::uint64_t kMaxLabelBytes = 4ULL << 20U;
constexpr std::size_t kMaxLabels = 200'000;

// How a tensor's dimensions change between requests and the file, the batch dimension left out.
struct Reshape {
  Shape outside;
  Shape inside;
};

// What `shape`, which fits `from`, becomes as `to`: its open dimensions keep their values, in order.
std::optional<Shape> reshaped(const Shape& shape, const Shape& from, const Shape& to, bool batch) {
  const std::size_t first = batch ? 1 : 0;
  if (shape.size() != from.size() + first) return std::nullopt;
  Shape out(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(first));
  std::size_t at = 0;
  for (const std::int64_t dim : to) {
    if (dim != tensor::kDynamic) {
      out.push_back(dim);
      continue;
    }
    while (at < from.size() && from[at] != tensor::kDynamic) ++at;
    if (at == from.size()) return std::nullopt;
    out.push_back(shape[first + at++]);
  }
  const auto before = tensor::element_count(shape);
  const auto after = tensor::element_count(out);
  if (!before || !after || *before != *after) return std::nullopt;
  return out;
}

// Of a state, and of a correlation id, that no one brought.
Result<tensor::Tensor> nothing(const TensorSpec& spec, std::int64_t rows) {
  Shape shape = spec.shape;
  std::ranges::replace(shape, tensor::kDynamic, std::int64_t{1});
  if (!shape.empty() && spec.shape[0] == tensor::kDynamic) shape[0] = rows;
  if (spec.type == tensor::DataType::kString) {
    BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
    const std::vector<std::string_view> none(count);
    return tensor::make_string_tensor(std::move(shape), none);
  }
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(spec.type, std::move(shape)));
  std::ranges::fill(out.bytes, std::byte{0});
  return std::move(out.tensor);
}

Result<tensor::Tensor> control_off(const ControlInput& control, const TensorSpec& spec, std::int64_t rows) {
  BASCULE_ASSIGN(tensor::Tensor empty, nothing(spec, rows));
  if (control.kind == content::ControlKind::kCorrelationId) return empty;
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(spec.type, std::move(empty.shape)));
  std::ranges::fill(out.bytes, std::byte{0});
  const double no = control.false_true[0];
  if (spec.type == tensor::DataType::kInt32)
    std::ranges::fill(out.elements<std::int32_t>(), static_cast<std::int32_t>(no));
  if (spec.type == tensor::DataType::kFp32) std::ranges::fill(out.elements<float>(), static_cast<float>(no));
  if (spec.type == tensor::DataType::kBool) std::ranges::fill(out.elements<bool>(), no != 0);
  return std::move(out.tensor);
}

class ConfiguredExecutable final : public Executable {
 public:
  struct Parts {
    ModelSpec spec;
    bool batch = false;
    std::map<std::string, Reshape, std::less<>> inputs;
    std::map<std::string, Reshape, std::less<>> outputs;
    std::vector<ControlInput> controls;
    std::vector<std::string> states;  // inputs
  };

  ConfiguredExecutable(std::unique_ptr<Executable> inner, Parts parts)
      : inner_(std::move(inner)), parts_(std::move(parts)) {
    for (const TensorSpec& output : parts_.spec.outputs) names_.push_back(output.name);
  }

  [[nodiscard]] const ModelSpec& spec() const override { return parts_.spec; }

  void rest() const override { inner_->rest(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensor> inputs,
                                       std::span<const std::string> outputs) const override {
    const std::span<const std::string> wanted = outputs.empty() ? std::span(names_) : outputs;
    if (parts_.inputs.empty() && parts_.outputs.empty() && parts_.controls.empty() && parts_.states.empty()) {
      return inner_->run(inputs, wanted);
    }
    std::vector<NamedTensor> inside(inputs.begin(), inputs.end());
    for (NamedTensor& input : inside) BASCULE_TRY(reshape_input(input));
    BASCULE_TRY(add_controls(inside));
    BASCULE_ASSIGN(std::vector<NamedTensor> answer, inner_->run(inside, wanted));
    for (NamedTensor& output : answer) BASCULE_TRY(reshape_output(output));
    return answer;
  }

 private:
  Result<void> reshape_input(NamedTensor& input) const {
    const auto at = parts_.inputs.find(input.name);
    if (at == parts_.inputs.end()) return {};
    auto shape = reshaped(input.tensor.shape, at->second.outside, at->second.inside, parts_.batch);
    if (!shape) {
      return invalid_argument(
          fmt::format("Input '{}' has shape {}, which cannot be reshaped to {}, as the model's configuration "
                      "asks for.",
                      text::shortened(input.name), tensor::to_string(input.tensor.shape),
                      tensor::to_string(at->second.inside)),
          Reason::kShapeMismatch);
    }
    input.tensor.shape = *std::move(shape);
    return {};
  }

  Result<void> reshape_output(NamedTensor& output) const {
    const auto at = parts_.outputs.find(output.name);
    if (at == parts_.outputs.end()) return {};
    auto shape = reshaped(output.tensor.shape, at->second.inside, at->second.outside, parts_.batch);
    if (!shape) {
      return internal_error(fmt::format("Output '{}' came with shape {}, which cannot be reshaped to {}.",
                                        output.name, tensor::to_string(output.tensor.shape),
                                        tensor::to_string(at->second.outside)));
    }
    output.tensor.shape = *std::move(shape);
    return {};
  }

  Result<void> add_controls(std::vector<NamedTensor>& inputs) const {
    const bool rows_known = !inputs.empty() && !inputs[0].tensor.shape.empty();
    const std::int64_t rows = rows_known ? inputs[0].tensor.shape[0] : 1;
    for (const ControlInput& control : parts_.controls) {
      if (std::ranges::find(inputs, control.name, &NamedTensor::name) != inputs.end()) continue;
      const auto spec = std::ranges::find(parts_.spec.inputs, control.name, &TensorSpec::name);
      BASCULE_ASSIGN(tensor::Tensor off, control_off(control, *spec, rows));
      inputs.push_back({.name = control.name, .tensor = std::move(off)});
    }
    for (const std::string& state : parts_.states) {
      if (std::ranges::find(inputs, state, &NamedTensor::name) != inputs.end()) continue;
      const auto spec = std::ranges::find(parts_.spec.inputs, state, &TensorSpec::name);
      BASCULE_ASSIGN(tensor::Tensor none, nothing(*spec, rows));
      inputs.push_back({.name = state, .tensor = std::move(none)});
    }
    return {};
  }

  const std::unique_ptr<Executable> inner_;
  const Parts parts_;
  std::vector<std::string> names_;  // of the outputs
};

// Holds the configuration against the file.
class Configurer {
 public:
  Configurer(const ModelSpec& file, const content::ModelConfig& config)
      : file_(file), config_(config), batch_(config.max_batch_size.value_or(0) > 0) {}

  Result<ConfiguredExecutable::Parts> compare() {
    out_.spec = {.format = file_.format,
                 .engine = file_.engine,
                 .engine_version = file_.engine_version,
                 .notes = file_.notes,
                 .inputs = {},
                 .outputs = {},
                 .metadata = file_.metadata,
                 .computes_elsewhere = file_.computes_elsewhere};
    out_.batch = batch_;
    for (const ConfiguredTensor& input : config_.inputs) {
      BASCULE_TRY(add("input", input, file_.inputs, out_.spec.inputs, out_.inputs));
    }
    for (const ConfiguredTensor& output : config_.outputs) {
      BASCULE_TRY(add("output", output, file_.outputs, out_.spec.outputs, out_.outputs));
    }
    BASCULE_TRY(add_undeclared());
    BASCULE_TRY(add_controls());
    BASCULE_TRY(add_states());
    return std::move(out_);
  }

  // Whether clients would see no difference.
  [[nodiscard]] static bool same(const ModelSpec& file, const ConfiguredExecutable::Parts& parts) {
    const auto alike = [](const TensorSpec& a, const TensorSpec& b) {
      return a.name == b.name && a.type == b.type && a.shape == b.shape && a.optional == b.optional;
    };
    return parts.inputs.empty() && parts.outputs.empty() && parts.controls.empty() && parts.states.empty() &&
           std::ranges::equal(file.inputs, parts.spec.inputs, alike) &&
           std::ranges::equal(file.outputs, parts.spec.outputs, alike);
  }

 private:
  [[nodiscard]] Error error(std::string_view text) const {
    return invalid_argument(fmt::format("{}: {}", config_.origin, text));
  }

  static std::string names_of(const std::vector<TensorSpec>& specs) {
    std::vector<std::string> names;
    for (const TensorSpec& spec : specs) names.push_back(fmt::format("'{}'", text::shortened(spec.name)));
    return text::shortened(fmt::format("{}", fmt::join(names, ", ")), 400);
  }

  // Filled by the server.
  [[nodiscard]] bool is_filled(const std::string& name) const {
    if (!config_.sequences) return false;
    const auto& [controls, states] = std::tie(config_.sequences->controls, config_.sequences->states);
    return std::ranges::find(controls, name, &ControlInput::name) != controls.end() ||
           std::ranges::find(states, name, &content::SequenceState::input) != states.end();
  }
  [[nodiscard]] bool is_state_output(const std::string& name) const {
    return config_.sequences &&
           std::ranges::find(config_.sequences->states, name, &content::SequenceState::output) !=
               config_.sequences->states.end();
  }

  // The dimensions behind the batch, and the batch dimension as the file has it.
  Result<std::int64_t> batch_dimension(std::string_view kind, const TensorSpec& spec) const {
    const auto rows = static_cast<std::int64_t>(*config_.max_batch_size);
    if (spec.shape.empty()) return tensor::kDynamic;  // it names no shape
    if (spec.shape[0] == tensor::kDynamic || spec.shape[0] >= rows) return spec.shape[0];
    return error(
        fmt::format("max_batch_size is {}, but {} '{}' of the model file has shape {}, whose first "
                    "dimension is no batch of so many.",
                    rows, kind, spec.name, tensor::to_string(spec.shape)));
  }

  Result<void> add(std::string_view kind, const ConfiguredTensor& declared,
                   const std::vector<TensorSpec>& file, std::vector<TensorSpec>& specs,
                   std::map<std::string, Reshape, std::less<>>& reshapes) {
    const auto found = std::ranges::find(file, declared.name, &TensorSpec::name);
    if (found == file.end()) {
      return error(fmt::format("it declares {} '{}', but the {}s of the model file are {}.", kind,
                               declared.name, kind, names_of(file)));
    }
    if (declared.type && *declared.type != found->type) {
      return error(fmt::format("{} '{}' is declared as {}, but the model file has {}.", kind, declared.name,
                               tensor::to_string(*declared.type), tensor::to_string(found->type)));
    }
    TensorSpec spec = *found;
    spec.optional = spec.optional || declared.optional;
    std::int64_t first = tensor::kDynamic;
    if (batch_) {
      BASCULE_ASSIGN(first, batch_dimension(kind, *found));
    }
    const auto with_batch = [&](const Shape& dims) {
      Shape whole = dims;
      if (batch_) whole.insert(whole.begin(), first);
      return whole;
    };
    if (!declared.dims.empty() || declared.reshape) {
      const Shape inside = with_batch(declared.reshape.value_or(declared.dims));
      if (!found->shape.empty() && !tensor::matches(found->shape, inside)) {
        return error(fmt::format("{} '{}' is declared with {} {}{}, but the model file has shape {}.", kind,
                                 declared.name, declared.reshape ? "reshape" : "dims",
                                 tensor::to_string(declared.reshape.value_or(declared.dims)),
                                 batch_ ? " behind the batch dimension" : "",
                                 tensor::to_string(found->shape)));
      }
      BASCULE_TRY(check_reshape(kind, declared));
      spec.shape = with_batch(declared.dims);
    }
    if (declared.reshape) {
      reshapes[declared.name] = {.outside = declared.dims, .inside = *declared.reshape};
    }
    specs.push_back(std::move(spec));
    return {};
  }

  [[nodiscard]] Result<void> check_reshape(std::string_view kind, const ConfiguredTensor& declared) const {
    if (!declared.reshape) return {};
    const auto fixed = [](const Shape& shape) {
      Shape out;
      std::ranges::copy_if(shape, std::back_inserter(out), [](auto dim) { return dim != tensor::kDynamic; });
      return tensor::element_count(out);
    };
    const auto outside = fixed(declared.dims);
    const auto inside = fixed(*declared.reshape);
    if (outside && inside && *outside == *inside) return {};
    return error(fmt::format("{} '{}' has dims {}, which cannot be reshaped to {}.", kind, declared.name,
                             tensor::to_string(declared.dims), tensor::to_string(*declared.reshape)));
  }

  // What the file has and the configuration does not name.
  Result<void> add_undeclared() {
    for (const TensorSpec& input : file_.inputs) {
      if (is_filled(input.name)) continue;
      if (config_.inputs.empty()) {
        if (batch_) BASCULE_TRY(batch_dimension("input", input));
        out_.spec.inputs.push_back(input);
        continue;
      }
      const bool declared =
          std::ranges::find(config_.inputs, input.name, &ConfiguredTensor::name) != config_.inputs.end();
      if (declared) continue;
      if (!input.optional) {
        return error(fmt::format("the model file needs input '{}', {} of shape {}, which is not declared.",
                                 input.name, tensor::to_string(input.type), tensor::to_string(input.shape)));
      }
      out_.spec.inputs.push_back(input);
    }
    if (!config_.outputs.empty()) return {};
    for (const TensorSpec& output : file_.outputs) {
      if (is_state_output(output.name)) continue;
      if (batch_) BASCULE_TRY(batch_dimension("output", output));
      out_.spec.outputs.push_back(output);
    }
    return {};
  }

  Result<void> add_controls() {
    if (!config_.sequences) return {};
    for (const ControlInput& control : config_.sequences->controls) {
      const auto found = std::ranges::find(file_.inputs, control.name, &TensorSpec::name);
      if (found == file_.inputs.end()) {
        return error(fmt::format("it declares control input '{}', but the inputs of the model file are {}.",
                                 control.name, names_of(file_.inputs)));
      }
      if (found->type != control.type) {
        return error(fmt::format("control input '{}' is declared as {}, but the model file has {}.",
                                 control.name, tensor::to_string(control.type),
                                 tensor::to_string(found->type)));
      }
      if (std::ranges::find(config_.inputs, control.name, &ConfiguredTensor::name) != config_.inputs.end()) {
        return error(
            fmt::format("'{}' is declared as an input of requests and as a control input.", control.name));
      }
      out_.spec.inputs.push_back(*found);
      out_.spec.inputs.back().optional = true;
      out_.controls.push_back(control);
    }
    return {};
  }

  // A state's input and output, held against the file's.
  [[nodiscard]] Result<void> check_state(std::string_view kind, const content::SequenceState& state,
                                         const std::string& name,
                                         const std::vector<TensorSpec>& specs) const {
    const auto found = std::ranges::find(specs, name, &TensorSpec::name);
    if (found == specs.end()) {
      return error(fmt::format("it declares the state {} '{}', but the {}s of the model file are {}.", kind,
                               name, kind, names_of(specs)));
    }
    if (state.type && *state.type != found->type) {
      return error(fmt::format("the state {} '{}' is declared as {}, but the model file has {}.", kind, name,
                               tensor::to_string(*state.type), tensor::to_string(found->type)));
    }
    if (!state.dims) return {};
    Shape whole = *state.dims;
    if (batch_) {
      BASCULE_ASSIGN(const std::int64_t first, batch_dimension(kind, *found));
      whole.insert(whole.begin(), first);
    }
    if (found->shape.empty() || tensor::matches(found->shape, whole)) return {};
    // The file may fix what the declaration leaves open.
    if (tensor::matches(whole, found->shape)) return {};
    return error(fmt::format("the state {} '{}' is declared with dims {}{}, but the model file has shape {}.",
                             kind, name, tensor::to_string(*state.dims),
                             batch_ ? " behind the batch dimension" : "", tensor::to_string(found->shape)));
  }

  Result<void> add_states() {
    if (!config_.sequences) return {};
    for (const content::SequenceState& state : config_.sequences->states) {
      BASCULE_TRY(check_state("input", state, state.input, file_.inputs));
      BASCULE_TRY(check_state("output", state, state.output, file_.outputs));
      const auto input = std::ranges::find(file_.inputs, state.input, &TensorSpec::name);
      const auto output = std::ranges::find(file_.outputs, state.output, &TensorSpec::name);
      if (input->type != output->type) {
        return error(fmt::format(
            "the state goes from output '{}', {}, to input '{}', {}; they have to be alike.", state.output,
            tensor::to_string(output->type), state.input, tensor::to_string(input->type)));
      }
      if (std::ranges::find(config_.inputs, state.input, &ConfiguredTensor::name) != config_.inputs.end() ||
          std::ranges::find(config_.sequences->controls, state.input, &ControlInput::name) !=
              config_.sequences->controls.end()) {
        return error(
            fmt::format("'{}' is declared as the input of a state and as another input.", state.input));
      }
      out_.spec.inputs.push_back(*input);
      out_.spec.inputs.back().optional = true;
      out_.states.push_back(state.input);
    }
    return {};
  }

  const ModelSpec& file_;
  const content::ModelConfig& config_;
  const bool batch_;
  ConfiguredExecutable::Parts out_;
};

Result<std::vector<std::string>> read_lines(const std::filesystem::path& file) {
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, kMaxLabelBytes));
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    lines.emplace_back(text::escape_controls(text::trimmed(rest.substr(0, end))));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (lines.size() > kMaxLabels) {
      return invalid_argument(
          fmt::format("'{}' has more than {} lines.", file.filename().string(), kMaxLabels));
    }
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

Result<ModelSpec> declared_spec(const content::ModelConfig& config) {
  const bool batch = config.max_batch_size.value_or(0) > 0;
  const auto specs_of = [&](const std::vector<ConfiguredTensor>& all) -> Result<std::vector<TensorSpec>> {
    std::vector<TensorSpec> specs;
    for (const ConfiguredTensor& declared : all) {
      if (!declared.type) {
        return invalid_argument(
            fmt::format("{}: '{}' is declared without a data_type, and no model file says "
                        "what it is.",
                        config.origin, declared.name));
      }
      TensorSpec spec{
          .name = declared.name, .type = *declared.type, .shape = declared.reshape.value_or(declared.dims)};
      if (batch) spec.shape.insert(spec.shape.begin(), tensor::kDynamic);
      spec.optional = declared.optional;
      specs.push_back(std::move(spec));
    }
    return specs;
  };
  ModelSpec out;
  BASCULE_ASSIGN(out.inputs, specs_of(config.inputs));
  BASCULE_ASSIGN(out.outputs, specs_of(config.outputs));
  return out;
}

Result<std::unique_ptr<Executable>> configure(std::unique_ptr<Executable> executable,
                                              const content::ModelConfig& config) {
  BASCULE_ASSIGN(ConfiguredExecutable::Parts parts, Configurer(executable->spec(), config).compare());
  if (Configurer::same(executable->spec(), parts)) return executable;
  return std::make_unique<ConfiguredExecutable>(std::move(executable), std::move(parts));
}

Result<std::map<std::string, std::vector<std::string>>> read_labels(const ModelSource& source) {
  std::map<std::string, std::vector<std::string>> labels;
  for (const ConfiguredTensor& output : source.config->outputs) {
    if (output.labels.empty()) continue;
    const auto file = safe_join(source.home, output.labels);
    if (!file) {
      return invalid_argument(fmt::format("{}: the labels of output '{}': {}", source.config->origin,
                                          output.name, file.error().message));
    }
    auto lines = read_lines(*file);
    if (!lines) {
      return Error{.code = lines.error().code,
                   .message = fmt::format("{}: the labels of output '{}': {}", source.config->origin,
                                          output.name, lines.error().message)};
    }
    labels[output.name] = *std::move(lines);
  }
  return labels;
}

}  // namespace bascule::catalog

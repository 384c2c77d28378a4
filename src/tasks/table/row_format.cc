#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/table/rows.h"

namespace bascule::tasks::table {
namespace {

using content::RowOutput;
using tensor::DataType;
using tensor::TensorSpec;

constexpr std::string_view kLabelsSuffix = "_labels";  // of a map's keys, see backend::ModelSpec::outputs

Error not_rows(std::string message) { return {.code = Code::kUnsupported, .message = std::move(message)}; }

std::string seen(const TensorSpec& spec) {
  return fmt::format("'{}' is {} {}", text::escape_controls(text::shortened(spec.name)),
                     tensor::to_string(spec.type), tensor::to_string(spec.shape));
}

bool is_float(DataType type) {
  return type == DataType::kFp32 || type == DataType::kFp64 || type == DataType::kFp16 ||
         type == DataType::kBf16;
}

// [rows] or [rows, 1].
bool one_each(const TensorSpec& spec) {
  return spec.shape.size() == 1 || (spec.shape.size() == 2 && spec.shape[1] == 1);
}

Result<void> read_inputs(const backend::ModelSpec& spec, const content::ModelDescription& description,
                         content::RowFormat& out) {
  std::vector<const TensorSpec*> inputs;
  for (const TensorSpec& input : spec.inputs) {
    if (!input.optional) inputs.push_back(&input);
  }
  if (inputs.empty()) return not_rows("it has no input");
  if (std::ranges::all_of(inputs, [](const TensorSpec* input) { return one_each(*input); })) {
    for (const TensorSpec* const input : inputs)
      out.columns.push_back({.name = input->name, .type = input->type});
    out.named = true;
  } else if (inputs.size() == 1 && inputs[0]->shape.size() == 2) {
    const std::int64_t width = inputs[0]->shape[1];
    const std::size_t columns =
        width == tensor::kDynamic ? description.columns.size() : static_cast<std::size_t>(width);
    if (columns == 0 || columns > content::kMaxColumns) {
      return not_rows(fmt::format("input {}, and nothing says how many columns that is", seen(*inputs[0])));
    }
    out.columns.assign(columns, {.name = {}, .type = inputs[0]->type});
    out.matrix = true;
  } else {
    return not_rows(
        fmt::format("input {}; [rows, columns], or [rows] for each column, was expected",
                    seen(**std::ranges::find_if_not(inputs, one_each, [](auto* p) -> auto& { return *p; }))));
  }
  return {};
}

Result<void> name_columns(const content::ModelDescription& description, content::RowFormat& out) {
  const std::vector<std::string>& names = description.columns;
  if (names.empty()) return {};
  if (names.size() != out.columns.size()) {
    return not_rows(fmt::format("'columns' names {}, the model takes {}", names.size(), out.columns.size()));
  }
  if (!out.matrix) {
    for (const content::RowColumn& column : out.columns) {
      if (std::ranges::find(names, column.name) == names.end()) {
        return not_rows(fmt::format("'columns' lacks '{}', which is an input of the model", column.name));
      }
    }
    return {};
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      return not_rows(fmt::format("'columns' names '{}' twice", names[i]));
    }
    out.columns[i].name = names[i];
  }
  out.named = true;
  return {};
}

const TensorSpec* keys_of_map(const backend::ModelSpec& spec, const TensorSpec& values) {
  const auto keys =
      std::ranges::find(spec.outputs, values.name + std::string(kLabelsSuffix), &TensorSpec::name);
  const bool map = keys != spec.outputs.end() && is_float(values.type) && keys->shape == values.shape &&
                   values.shape.size() == 2;
  return map ? &*keys : nullptr;
}

// Which of a model's outputs are what.
class Outputs {
 public:
  Outputs(const backend::ModelSpec& spec, const content::ModelDescription& description)
      : spec_(spec), names_(description.labels.empty() ? spec.class_labels : description.labels) {}

  Result<std::vector<RowOutput>> read() {
    for (const TensorSpec& output : spec_.outputs) {
      if (output.shape.empty() || output.shape.size() > 2) {
        return not_rows(fmt::format("output {} has no rows", seen(output)));
      }
      if (!is_keys(output)) told_.push_back(&output);
    }
    const TensorSpec* const probabilities = find_probabilities();
    const TensorSpec* const label = find_label(probabilities);
    std::vector<RowOutput> out;
    for (const TensorSpec* const output : told_) {
      if (output == probabilities) {
        out.push_back(by_class(*output));
      } else {
        RowOutput one{.key = output->name, .tensor = output->name};
        one.form = one_each(*output) ? RowOutput::Form::kValue : RowOutput::Form::kList;
        if (output == label) {
          one.key = "label";
          const bool number = output->type != DataType::kString;
          if (number && described_names() && one.form == RowOutput::Form::kValue) one.names = names_;
        } else if (told_.size() == 1 && one_each(*output)) {
          one.key = "value";
        }
        out.push_back(std::move(one));
      }
    }
    return out;
  }

 private:
  // A name of a class was given for the numbers of a label, rather than read beside them in the file.
  [[nodiscard]] bool described_names() const { return names_ != spec_.class_labels && !names_.empty(); }

  [[nodiscard]] bool is_keys(const TensorSpec& output) const {
    return std::ranges::any_of(spec_.outputs,
                               [&](const TensorSpec& other) { return keys_of_map(spec_, other) == &output; });
  }

  [[nodiscard]] const TensorSpec* find_probabilities() const {
    const TensorSpec* found = nullptr;
    std::size_t candidates = 0;
    for (const TensorSpec* const output : told_) {
      if (!is_float(output->type) || output->shape.size() != 2 || output->shape[1] == 1) continue;
      if (keys_of_map(spec_, *output) != nullptr) return output;
      const std::string name = text::to_lower(output->name);
      const bool sure = name.find("prob") != std::string::npos ||
                        (!names_.empty() && output->shape[1] == static_cast<std::int64_t>(names_.size()));
      if (sure) return output;
      ++candidates;
      found = output;
    }
    return candidates == 1 && told_.size() == 2 && std::ranges::any_of(told_, is_label) ? found : nullptr;
  }

  static bool is_label(const TensorSpec* output) {
    const bool type = output->type == DataType::kString || output->type == DataType::kInt64 ||
                      output->type == DataType::kInt32;
    return type && one_each(*output);
  }

  // One that stands beside probabilities, or is text, or is called so.
  [[nodiscard]] const TensorSpec* find_label(const TensorSpec* probabilities) const {
    if (std::ranges::count_if(told_, is_label) != 1) return nullptr;
    const TensorSpec* const label = *std::ranges::find_if(told_, is_label);
    const bool called_so = text::to_lower(label->name).find("label") != std::string::npos;
    return probabilities != nullptr || label->type == DataType::kString || called_so ? label : nullptr;
  }

  [[nodiscard]] RowOutput by_class(const TensorSpec& output) const {
    RowOutput out{.key = "probabilities", .tensor = output.name, .form = RowOutput::Form::kByClass};
    if (const TensorSpec* const keys = keys_of_map(spec_, output)) {
      out.names_tensor = keys->name;
    } else if (output.shape[1] == static_cast<std::int64_t>(names_.size())) {
      out.names = names_;
    } else {
      out.form = RowOutput::Form::kList;
    }
    return out;
  }

  const backend::ModelSpec& spec_;
  const std::vector<std::string>& names_;
  std::vector<const TensorSpec*> told_;
};

}  // namespace

Result<content::RowFormat> row_format(const backend::ModelSpec& spec,
                                      const content::ModelDescription& description) {
  content::RowFormat out;
  BASCULE_TRY(read_inputs(spec, description, out));
  BASCULE_TRY(name_columns(description, out));
  // Rows that are no batch: a first dimension that is fixed at what no padding can fill.
  for (const TensorSpec& input : spec.inputs) {
    if (input.optional || input.shape.front() == tensor::kDynamic || input.shape.front() == 1) continue;
    if (backend::static_batch(spec) == 0)
      return not_rows(fmt::format("input {} has a fixed number of rows", seen(input)));
  }
  BASCULE_ASSIGN(out.outputs, Outputs(spec, description).read());
  if (out.outputs.empty()) return not_rows("it has no output");
  return out;
}

}  // namespace bascule::tasks::table

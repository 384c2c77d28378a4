#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/table/rows.h"
#include "tensor/shape.h"

namespace bascule::tasks::table {
namespace {

Result<const tensor::Tensor*> tensor_named(std::span<const tensor::NamedTensor> outputs,
                                           const std::string& name) {
  const auto found = std::ranges::find(outputs, name, &tensor::NamedTensor::name);
  if (found != outputs.end()) return &found->tensor;
  return internal_error(fmt::format("The model gave no output '{}'.", text::shortened(name)));
}

// How many values of each row there are.
Result<std::size_t> width_of(const tensor::Tensor& tensor, const std::string& name, std::size_t rows) {
  if (tensor.shape.empty() || tensor.shape.front() != static_cast<std::int64_t>(rows)) {
    return internal_error(fmt::format("The model's output '{}' is {}; {} rows were sent.",
                                      text::shortened(name), tensor::to_string(tensor.shape), rows));
  }
  std::size_t width = 1;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) width *= static_cast<std::size_t>(tensor.shape[i]);
  return width;
}

// The keys of a map, which are text or numbers.
Result<std::vector<std::string>> names_in(const tensor::Tensor& tensor) {
  std::vector<std::string> out;
  if (tensor.type == tensor::DataType::kInt64) {
    for (const std::int64_t value : tensor.elements<std::int64_t>()) out.push_back(std::to_string(value));
    return out;
  }
  BASCULE_ASSIGN(const std::vector<std::string_view> texts, tensor::string_elements(tensor));
  out.assign(texts.begin(), texts.end());
  return out;
}

}  // namespace

Result<content::RowAnswers> decode_rows(const content::RowFormat& format,
                                        std::span<const tensor::NamedTensor> outputs, std::size_t rows) {
  content::RowAnswers out{.rows = rows, .columns = {}};
  for (const content::RowOutput& output : format.outputs) {
    content::RowAnswers::Column column;
    BASCULE_ASSIGN(const tensor::Tensor* const values, tensor_named(outputs, output.tensor));
    BASCULE_ASSIGN(column.width, width_of(*values, output.tensor, rows));
    column.values = *values;
    if (values->type == tensor::DataType::kString) {
      BASCULE_ASSIGN(column.texts, tensor::string_elements(column.values));
    }
    if (!output.names_tensor.empty()) {
      BASCULE_ASSIGN(const tensor::Tensor* const names, tensor_named(outputs, output.names_tensor));
      BASCULE_ASSIGN(const std::size_t width, width_of(*names, output.names_tensor, rows));
      BASCULE_ASSIGN(column.name_texts, names_in(*names));
      if (width != column.width)
        return internal_error("A map has as many keys as values, and these are not.");
    } else if (output.form == content::RowOutput::Form::kByClass && column.width != output.names.size()) {
      return internal_error(
          fmt::format("The model's output '{}' has {} values for each row; its classes are {}.",
                      text::shortened(output.tensor), column.width, output.names.size()));
    }
    out.columns.push_back(std::move(column));
  }
  return out;
}

}  // namespace bascule::tasks::table

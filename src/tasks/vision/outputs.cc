#include "tasks/vision/outputs.h"

#include <algorithm>

#include <fmt/format.h>

namespace bascule::tasks::vision {

Result<const tensor::Tensor*> output_named(std::span<const tensor::NamedTensor> outputs,
                                           std::string_view name, tensor::DataType type) {
  const auto found = std::ranges::find(outputs, name, &tensor::NamedTensor::name);
  if (found == outputs.end()) return internal_error(fmt::format("The model gave no output '{}'.", name));
  const tensor::Tensor& tensor = found->tensor;
  if (tensor.type != type) {
    return unexpected_output(name, tensor, fmt::format("{} was expected", tensor::to_string(type)));
  }
  BASCULE_ASSIGN(const std::size_t bytes, tensor::byte_count(tensor.shape, tensor::element_size(type)));
  if (bytes != tensor.bytes.size()) {
    return internal_error(fmt::format("The model's output '{}' has {} bytes, its shape {} says {}.", name,
                                      tensor.bytes.size(), tensor::to_string(tensor.shape), bytes));
  }
  return &tensor;
}

Error unexpected_output(std::string_view name, const tensor::Tensor& tensor, std::string_view expected) {
  return internal_error(fmt::format("The model's output '{}' is {} {}; {}.", name,
                                    tensor::to_string(tensor.type), tensor::to_string(tensor.shape),
                                    expected));
}

}  // namespace bascule::tasks::vision

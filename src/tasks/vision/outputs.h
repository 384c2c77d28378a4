#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "tensor/tensor.h"

// Private to this room: what every task asks of a model's outputs.
namespace bascule::tasks::vision {

// The output of that name. Errors: kInternal where there is none, it is of another datatype, or its bytes are
// not as many as its shape says.
Result<const tensor::Tensor*> output_named(std::span<const tensor::NamedTensor> outputs,
                                           std::string_view name, tensor::DataType type);

// `expected` ends the sentence: "a detector's is FP32 [1, rows, 6]".
[[nodiscard]] Error unexpected_output(std::string_view name, const tensor::Tensor& tensor,
                                      std::string_view expected);

}  // namespace bascule::tasks::vision

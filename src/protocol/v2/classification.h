#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "content/model_info.h"
#include "tensor/tensor.h"

namespace bascule::protocol::v2 {

// The classification extension: for each row of `scores` (of the first dimension, where the model has
// batches; else all is one row) its `count` greatest values, the greatest first and equal ones in their
// order, as BYTES "value:index" or, where there is a label, "value:index:label". The shape is [rows, n] or
// [n], n being the lesser of `count` and a row's values. Labels are those of the output's configuration, else
// the class names of a model that has this output only. `count` is 1 or more. NaN is the least. Source:
// Triton, extension_classification.md, and what its server prints. Errors: kInvalidArgument for a datatype
// without an order in it, and for more than a million values in a row or in the answer.
Result<tensor::Tensor> classify(const tensor::Tensor& scores, std::size_t count, std::string_view output,
                                const content::ModelInfo& model);

}  // namespace bascule::protocol::v2

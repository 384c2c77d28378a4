#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "catalog/catalog.h"
#include "tensor/tensor.h"

namespace bascule::serving {

// Refuses a request of more rows than the model's settings allow in one run. A limit that no one asked for
// refuses nothing: such a request runs alone. Errors: kInvalidArgument with kShapeMismatch.
Result<void> check_rows(const catalog::LoadedModel& model, std::span<const tensor::NamedTensor> inputs);

// Requests with equal keys fit into one run: the same inputs in the same order, with equal datatypes and
// dimensions but for the first, and the same outputs wanted. Empty where the tensors cannot be laid end to
// end: texts, scalars, inputs of unequal first dimensions or none.
[[nodiscard]] std::string join_key(std::span<const tensor::NamedTensor> inputs,
                                   std::span<const std::string> outputs);

// The inputs of several requests with equal keys, laid end to end: one copy. Zeros follow up to `least` rows.
// Errors: as make_tensor.
Result<std::vector<tensor::NamedTensor>> join(std::span<const std::span<const tensor::NamedTensor>> requests,
                                              std::size_t least = 0);

// Rows `first` to `first + count` of every output, as views that keep the outputs' memory alive. Nothing
// where an output has not `total` rows: then the first dimension is not that of the inputs.
[[nodiscard]] std::optional<std::vector<tensor::NamedTensor>> rows_of(
    std::span<const tensor::NamedTensor> outputs, std::size_t first, std::size_t count, std::size_t total);

}  // namespace bascule::serving

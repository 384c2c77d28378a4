#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "content/description.h"
#include "content/rows.h"
#include "tensor/tensor.h"

// Rows to tensors and back. Thread-safety: pure functions.
namespace bascule::tasks::table {

// How a model's rows look: one input of [rows, columns], or inputs of [rows] or [rows, 1], one for each
// column. Columns are named by `description`, by the inputs where each is a column, or not at all. Errors:
// kUnsupported with half a sentence that says why the model takes no rows.
Result<content::RowFormat> row_format(const backend::ModelSpec& spec,
                                      const content::ModelDescription& description);

// The model's inputs out of rows. Columns are matched by name where both sides have names, else by place.
// Errors: kInvalidArgument with row and column for what is missing, too much, or of another type.
Result<std::vector<tensor::NamedTensor>> encode_rows(const content::RowFormat& format,
                                                     const backend::ModelSpec& spec,
                                                     const content::Table& table);

// What the model said of `rows` rows. Errors: kInternal where an output has another number of them.
Result<content::RowAnswers> decode_rows(const content::RowFormat& format,
                                        std::span<const tensor::NamedTensor> outputs, std::size_t rows);

}  // namespace bascule::tasks::table

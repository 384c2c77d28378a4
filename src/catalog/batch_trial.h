#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/result.h"

namespace bascule::catalog {

// What a trial at load found out about runs that several requests share.
// Thread-safety: a value.
struct BatchTrial {
  bool independent = false;  // every row of the answer depends on its own row of the inputs alone
  std::string why_not;       // one clause, where it is not
  Duration alone{};          // a run of one row
  Duration each{};           // a row's part of a run of `rows`
  std::size_t rows = 0;
};

// The shape that one row of an input has, the first dimension included.
using RowShape = std::function<tensor::Shape(const tensor::TensorSpec&)>;

// Runs the model on `rows` random rows at once and on the first and the last of them alone, and compares. A
// dynamic first dimension does not say that it is a batch: a model may sum over it, or answer with as many
// rows as it found objects. Errors: of Executable::run; kInvalidArgument where an input is of a datatype that
// no rows can be made up for.
Result<BatchTrial> try_batch(const backend::Executable& executable, const RowShape& row_shape,
                             std::size_t rows, const Clock& clock);

// The same for a file with a fixed batch (backend::static_batch), which fewer rows are padded to: compares
// rows run together with the first and the last of them at the front of a run that is filled with zeros.
// `alone` is a run, `each` a row's part of it.
Result<BatchTrial> try_static_batch(const backend::Executable& executable, const RowShape& row_shape,
                                    const Clock& clock);

}  // namespace bascule::catalog

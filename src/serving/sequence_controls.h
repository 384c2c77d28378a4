#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "content/sequence.h"
#include "tensor/tensor.h"

namespace bascule::serving {

// Adds to the inputs of a request what the model is told of the sequence that it belongs to: one row of each
// control input, in the datatype and with the values that the settings name. `model`: for messages. Errors:
// kInvalidArgument for a request of several rows, for one that brings a control input itself, and where the
// sequence's id is no value of the input's datatype; kFailedPrecondition where the model has no such input.
Result<void> add_controls(const backend::ModelSpec& spec, const content::SequenceBatching& settings,
                          const content::SequenceStep& step, const std::string& model,
                          std::vector<tensor::NamedTensor>& inputs);

}  // namespace bascule::serving

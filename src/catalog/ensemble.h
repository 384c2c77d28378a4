#pragma once

#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/source.h"
#include "content/model_config.h"

namespace bascule::catalog {

// Whether the tensors of an ensemble get from its inputs to its outputs: each tensor that a step takes is an
// input or another step's output, each is made once, each output is made, and no step waits for itself, by
// whatever way. Errors: kInvalidArgument with the step and the tensor.
Result<void> check_ensemble(const content::ModelConfig& config);

// A model that is made of others. They are looked for with each request, and may be loaded before it or
// after. Errors: of check_ensemble; kInvalidArgument where an input or output is declared without a datatype.
Result<Handle> load_ensemble(const ModelSource& source, const content::ModelSettings& settings);

}  // namespace bascule::catalog

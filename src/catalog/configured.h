#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "catalog/source.h"
#include "content/model_config.h"

// What a configuration declares, held against a model file, and made true.
namespace bascule::catalog {

// What an engine without files is to serve. Errors: kInvalidArgument where a datatype is missing.
Result<backend::ModelSpec> declared_spec(const content::ModelConfig& config);

// The executable as its configuration presents it: inputs and outputs in the declared order, with the
// declared dimensions where the file leaves them open, reshaped on their way where that is asked for; outputs
// that are not declared are not given, nor outputs of states that are not declared as outputs, too, unless
// they are asked for by name. Control inputs of sequences and inputs of states come last and are optional:
// where a run brings none, they are filled with their value for "no", or zeros. Where the file is just so, it
// is the same executable. Errors: kInvalidArgument where the two contradict each other, with what both say.
Result<std::unique_ptr<backend::Executable>> configure(std::unique_ptr<backend::Executable> executable,
                                                       const content::ModelConfig& config);

// The lines of the files of labels that its outputs name, by output. Errors: kInvalidArgument for a file that
// leaves the model's folder or is too large; kNotFound.
Result<std::map<std::string, std::vector<std::string>>> read_labels(const ModelSource& source);

}  // namespace bascule::catalog

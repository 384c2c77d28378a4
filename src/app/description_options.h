#pragma once

#include <vector>

#include "base/result.h"
#include "config/option.h"
#include "content/description.h"

namespace bascule::app {

// What may be said of a model in place of its file: part of the model's table.
[[nodiscard]] std::vector<config::Option> description_options();

// Errors: kInvalidArgument where values contradict each other. The labels of `labels_file` are not read.
Result<content::ModelDescription> to_description(const config::Values& values);

}  // namespace bascule::app

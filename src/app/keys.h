#pragma once

#include <string>
#include <vector>

#include "access/key.h"
#include "base/result.h"
#include "config/option.h"

namespace bascule::app {

// One entry of the file that --api-keys names.
[[nodiscard]] const std::vector<config::Option>& key_options();
// Reads such a file. Errors: kInvalidArgument with file, line and what to do; a file without a key is one,
// too.
Result<std::vector<access::KeyEntry>> read_keys(const std::string& path);

}  // namespace bascule::app

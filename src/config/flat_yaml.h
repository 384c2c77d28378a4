#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::config {

// A YAML file of one map as flat text: scalars as they stand, lists and maps within as Python writes them
// ("{0: 'person', 1: 'bus'}", "[640, 640]"), which is how model files hold such things as metadata.
// `file_name` is for messages. Errors: kInvalidArgument with file and line; nested beyond 8 levels.
Result<std::map<std::string, std::string>> read_flat_yaml(std::string_view yaml,
                                                          const std::string& file_name);

}  // namespace bascule::config

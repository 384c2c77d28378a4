#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::config {

// What the YAML file of a data set says, as the tools that train detectors write it. Thread-safety: a value.
struct DataYaml {
  std::string path;                // the folder that the others are relative to; may be empty
  std::vector<std::string> split;  // folders, files with a picture's name on each line
  std::map<int, std::string> names;
};

// Reads `path`, `names` (a list, or a map by number) and the paths of one split ("val", which may be called
// "validation", too); other keys are for others. Errors: kInvalidArgument with file and line; for a split
// that is not there.
Result<DataYaml> read_data_yaml(std::string_view yaml, const std::string& file_name,
                                const std::string& split);

}  // namespace bascule::config

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::config {

// What a YAML file says of a model that is made of others; as it stands there, names and numbers unchecked.
// Thread-safety: a value.
struct EnsembleYaml {
  struct Tensor {
    std::string name;
    std::string datatype;
    std::vector<std::int64_t> shape;
    std::string place;  // "file.yaml:3"
  };
  struct Step {
    std::string model;
    std::string version;  // may be empty
    std::map<std::string, std::string> inputs;
    std::map<std::string, std::string> outputs;
    std::string place;
  };
  struct Crops {
    std::string detector;
    std::string classifier;
    double margin = 0;             // 0 to 1
    std::int64_t max_crops = 100;  // 1 to 1000
  };
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<Step> steps;
  std::optional<Crops> crops;
  std::int64_t max_inflight_requests = 0;
};

// Reads a file whose one key is `ensemble`. Nothing where it has no such key: then it is something else.
// Errors: kInvalidArgument with file and line: unknown keys with the nearest known one, what is missing,
// numbers out of range.
Result<std::optional<EnsembleYaml>> read_ensemble_yaml(std::string_view yaml, const std::string& file_name);

}  // namespace bascule::config

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bascule::content {

// One model of an ensemble, and how its tensors are called there.
// Thread-safety: a value.
struct EnsembleStep {
  std::string model;
  std::string version;                         // empty: the latest
  std::map<std::string, std::string> inputs;   // of the model -> the ensemble's tensor that it gets
  std::map<std::string, std::string> outputs;  // of the model -> the ensemble's tensor that it becomes
};

// A detector whose boxes are cut out of the picture, each for a classifier to look at.
// Thread-safety: a value.
struct CropThenClassify {
  std::string detector;
  std::string classifier;
  double margin = 0;            // that a box is made larger by at each side, in parts of its sides
  std::size_t max_crops = 100;  // of a picture, the surest
};

// A model that is made of others: a request goes through them without its tensors leaving the process.
// Thread-safety: a value.
struct Ensemble {
  std::vector<EnsembleStep> steps;        // either these …
  std::optional<CropThenClassify> crops;  // … or this
  std::size_t max_inflight_requests = 0;  // at one step, of all requests together; 0: no limit
};

}  // namespace bascule::content

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "content/model_settings.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace bascule::tuning {

// One way of serving a model: the settings that tuning chooses.
// Thread-safety: a value.
struct Candidate {
  std::string engine;
  tensor::DataType precision = tensor::DataType::kFp32;
  std::size_t instances = 1;       // runs at the same time
  int threads = 1;                 // of each
  std::size_t max_batch_size = 0;  // rows of a run that requests share; 0: a trial at load decides
  content::LetterboxShape letterbox = content::LetterboxShape::kRect;
  content::DecodeMode decode = content::DecodeMode::kExact;
  std::vector<tensor::Shape> shapes =
      {};  // of the input, that the model is compiled for on their own as well
  bool operator==(const Candidate&) const = default;
};

// "openvino bf16, 1 x 2 threads": instances times threads, and what else differs from the default.
[[nodiscard]] std::string describe(const Candidate& candidate);

// Threads of a run beside which nothing else runs: where its instances have one each, as many as they.
[[nodiscard]] int lone_threads(const Candidate& candidate);

// The settings with the candidate's in place of theirs.
[[nodiscard]] content::ModelSettings with(content::ModelSettings settings, const Candidate& candidate);

}  // namespace bascule::tuning

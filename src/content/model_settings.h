#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "content/description.h"
#include "content/sequence.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace bascule::content {

// Into which shape a picture is fitted.
enum class LetterboxShape : std::uint8_t {
  kRect,    // padded to the next multiple of the stride, as the reference package does: least work
  kSquare,  // padded to the model's full size: pictures of every shape fit into one run
};

// How a JPEG is decoded that is far larger than the model's input.
enum class DecodeMode : std::uint8_t {
  kExact,  // whole, as the reference package does
  kFast,   // at a fraction of its sides, where that leaves enough for the input
};

// What a user may choose for one model. The names are those of the settings, and where Triton's model
// configuration has such a field (dynamic_batching, default_queue_policy, instance_group), its name and
// meaning. Thread-safety: a value.
struct ModelSettings {
  // Runs that requests share.
  std::size_t max_batch_size = 0;  // rows of one run; 1: none share; 0: a trial at load decides
  std::vector<std::size_t> preferred_batch_size;  // ascending
  Duration max_queue_delay{};                     // 0: nothing waits while an instance is idle
  bool preserve_ordering = false;                 // answers leave in the order in which requests came
  // What may wait.
  std::size_t max_queue_size = 1000;                // requests; 0: no limit
  Duration queue_budget = std::chrono::seconds(1);  // of expected waiting; 0: only the length counts
  std::uint32_t priority_levels = 0;                // 0: none; level 1 is served first
  std::uint32_t default_priority_level = 0;         // of requests that name none; 0: the lowest
  Duration default_timeout{};                       // of a request that names none; 0: none
  // Who runs it.
  std::size_t instances = 0;  // runs at the same time; 0: as many as the cores allow
  int threads = 1;            // that compute one run
  int lone_threads = 1;       // that compute one beside which nothing else runs; not above `threads`: as all
  std::string engine;         // its name; empty: the first that can load the file
  tensor::DataType precision = tensor::DataType::kFp32;  // or BF16, FP16: in which its floats are computed
  std::vector<tensor::Shape> shapes;  // of its one input, that it is compiled for on their own as well
  // Pictures.
  LetterboxShape letterbox = LetterboxShape::kRect;
  DecodeMode decode = DecodeMode::kExact;
  // What the model is for, where its file does not say it.
  ModelDescription description;
  // Sample requests run at load, before the model serves; empty: zeros of its smallest shapes.
  std::vector<std::filesystem::path> warm_up;
  // Where set, every request is a step of a sequence.
  std::optional<SequenceBatching> sequences;
};

}  // namespace bascule::content

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace bascule::content {

// How often, and how long in all.
struct DurationTotal {
  std::uint64_t count = 0;
  Duration time{};
};

// The runs of one batch size.
struct BatchStatistics {
  std::uint64_t batch_size = 0;
  DurationTotal prepare;
  DurationTotal run;
  DurationTotal finish;
};

// What one version of a model did since the server started. The stages count successful requests.
// Thread-safety: a value.
struct ModelStatistics {
  std::string name;
  std::string version;
  std::chrono::milliseconds last_inference{};  // since 1970 UTC; 0: none yet
  std::uint64_t inference_count = 0;           // rows
  std::uint64_t execution_count = 0;           // runs of the engine
  DurationTotal success;
  DurationTotal fail;
  DurationTotal queue;
  DurationTotal prepare;
  DurationTotal run;
  DurationTotal finish;
  std::vector<BatchStatistics> batches;  // by size
  std::uint64_t memory_bytes = 0;        // about what it needs; 0: not known
};

}  // namespace bascule::content

#pragma once

#include <cstdint>

namespace bascule::batching {

// Levels of one queue; names and meanings are Triton's (model configuration, dynamic_batching).
// Thread-safety: a value.
struct PriorityLevels {
  std::uint32_t priority_levels = 0;         // 0: all requests are equal
  std::uint32_t default_priority_level = 0;  // of requests that name none; 0: the lowest
};

// The level at which a request waits: 1 is served first. `asked` counts where it is one of the levels; 0 and
// whatever lies above them mean the default.
[[nodiscard]] std::uint32_t level_of(std::uint64_t asked, const PriorityLevels& levels);

}  // namespace bascule::batching

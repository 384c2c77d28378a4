#include "batching/priority.h"

namespace bascule::batching {

std::uint32_t level_of(std::uint64_t asked, const PriorityLevels& levels) {
  const auto exists = [&](std::uint64_t level) { return level >= 1 && level <= levels.priority_levels; };
  if (exists(asked)) return static_cast<std::uint32_t>(asked);
  return exists(levels.default_priority_level) ? levels.default_priority_level : levels.priority_levels;
}

}  // namespace bascule::batching

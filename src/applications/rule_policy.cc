#include "applications/rule_policy.h"

#include <algorithm>

namespace bascule::applications {

bool fires(const RulePolicy& policy, PolicyMemory& memory, bool holds, std::int64_t time_ms) {
  memory.held.push_back(holds);
  while (memory.held.size() > std::clamp(policy.of, 1U, kMostFrames)) memory.held.pop_front();
  if (!holds || std::ranges::count(memory.held, true) < policy.needed) return false;
  if (memory.fired_ms && time_ms >= *memory.fired_ms && time_ms - *memory.fired_ms < policy.cooldown_ms) {
    return false;
  }
  memory.fired_ms = time_ms;
  return true;
}

}  // namespace bascule::applications

#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace bascule::applications {

// When a rule that holds becomes an event.
// Thread-safety: a value.
struct RulePolicy {
  std::uint32_t needed = 1;      // "for: 3 of 5 frames": it held in so many …
  std::uint32_t of = 1;          // … of the last so many, this frame among them; at most kMostFrames
  std::int64_t cooldown_ms = 0;  // after an event there is none for so long, by the frames' time
};
inline constexpr std::uint32_t kMostFrames = 1000;

// What a policy remembers.
// Thread-safety: a value.
struct PolicyMemory {
  std::deque<bool> held;                 // of the last frames, the newest last
  std::optional<std::int64_t> fired_ms;  // when the last event was
};

// Whether a frame makes an event: the rule holds now, often enough in the frames before, and the cool-down is
// over. A clock of frames that goes back ends the cool-down. Pure: changes `memory` and nothing else.
[[nodiscard]] bool fires(const RulePolicy& policy, PolicyMemory& memory, bool holds, std::int64_t time_ms);

}  // namespace bascule::applications

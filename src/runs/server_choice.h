#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/clock.h"

namespace bascule::runs {

// How one of several servers does.
// Thread-safety: a value.
struct ServerHealth {
  std::size_t in_flight = 0;  // requests
  unsigned failures = 0;      // one after the other
  TimePoint failed{};         // when the last of them was seen
  TimePoint not_before{};     // it is left alone until then
};

// The longest that a server is left alone for failing, whatever it asks for itself.
inline constexpr Duration kLongestRest = std::chrono::seconds(30);

// Which server to ask now: of those that are not left alone, the one with the fewest requests, the first of
// equals; nothing where all are left alone.
[[nodiscard]] std::optional<std::size_t> choose(std::span<const ServerHealth> servers, TimePoint now);
// When the first of them may be asked again. Precondition: there is one.
[[nodiscard]] TimePoint next_time(std::span<const ServerHealth> servers);

// It refused or did not answer a request that was sent at `sent`: it rests for as long as it asks, else twice
// as long as the last time, from 250 ms on. Requests that were under way together count as one failure.
void note_failure(ServerHealth& server, TimePoint sent, TimePoint now, std::optional<Duration> retry_after);
void note_success(ServerHealth& server);

}  // namespace bascule::runs

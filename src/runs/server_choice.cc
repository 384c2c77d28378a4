#include "runs/server_choice.h"

#include <algorithm>

#include "base/check.h"

namespace bascule::runs {
namespace {

constexpr Duration kShortestRest = std::chrono::milliseconds(250);
constexpr unsigned kMostDoublings = 8;

}  // namespace

std::optional<std::size_t> choose(std::span<const ServerHealth> servers, TimePoint now) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].not_before > now) continue;
    if (!best || servers[i].in_flight < servers[*best].in_flight) best = i;
  }
  return best;
}

TimePoint next_time(std::span<const ServerHealth> servers) {
  BASCULE_CHECK(!servers.empty());
  return std::ranges::min_element(servers, {}, &ServerHealth::not_before)->not_before;
}

void note_failure(ServerHealth& server, TimePoint sent, TimePoint now, std::optional<Duration> retry_after) {
  if (server.failures > 0 && sent < server.failed) {
    if (retry_after)
      server.not_before = std::max(server.not_before, now + std::min(*retry_after, kLongestRest));
    return;
  }
  const unsigned doublings = std::min(server.failures, kMostDoublings);
  const Duration rest = retry_after ? *retry_after : kShortestRest * (1U << doublings);
  ++server.failures;
  server.failed = now;
  server.not_before = now + std::min(rest, kLongestRest);
}

void note_success(ServerHealth& server) { server.failures = 0; }

}  // namespace bascule::runs

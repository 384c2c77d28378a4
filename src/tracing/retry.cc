#include "tracing/retry.h"

#include <algorithm>

namespace bascule::tracing {

bool is_worth_another(unsigned status) {
  return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

Duration wait_before_next(std::uint32_t tries, std::optional<Duration> asked, double jitter) {
  if (asked && *asked > Duration{}) return std::min(*asked, kLongestAsked);
  constexpr std::uint32_t kMostDoublings = 10;  // far beyond the longest wait
  const Duration whole =
      std::min<Duration>(kFirstWait * (1U << std::min(tries - 1, kMostDoublings)), kLongestWait);
  const auto half = static_cast<double>((whole / 2).count());
  return whole / 2 + Duration(static_cast<Duration::rep>(half * std::clamp(jitter, 0.0, 1.0)));
}

}  // namespace bascule::tracing

#include "serving/inline_policy.h"

#include <algorithm>

namespace bascule::serving {

namespace {

// Of a request, in the worst case: two wake-ups of a sleeping thread.
constexpr Duration kHandOver = std::chrono::microseconds(20);

}  // namespace

bool shares(const InlineSituation& situation) { return situation.saved_by_sharing > kHandOver; }

bool runs_inline(const InlineSituation& situation) {
  if (situation.ordered || (shares(situation) && !situation.alone)) return false;
  const std::size_t base = std::max<std::size_t>(situation.measured_bytes, 1);
  const std::size_t scale = std::max<std::size_t>((situation.request_bytes + base - 1) / base, 1);
  const Duration room = situation.limit / static_cast<Duration::rep>(std::min<std::size_t>(scale, 1U << 30U));
  return situation.measured_run < room;
}

}  // namespace bascule::serving

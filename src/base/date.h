#pragma once

#include <chrono>
#include <ctime>

#include "base/clock.h"

namespace bascule {

// The date, since 1970 UTC: for what people and other programs read. It may jump; nothing is measured or
// decided with it.
[[nodiscard]] inline Duration unix_time() {
  std::timespec now{};
  if (std::timespec_get(&now, TIME_UTC) == 0) return {};
  return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec);
}

}  // namespace bascule

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace bascule::access {

// A token bucket: so many requests per second, and after a rest as many at once as come in one second, at
// least one. Kept as the one time at which the bucket would be full again (the generic cell rate algorithm,
// as in ATM Forum TM 4.1, appendix). Thread-safety: thread-safe.
class Bucket {
 public:
  // 0: no limit.
  explicit Bucket(double per_second)
      : interval_(per_second > 0 ? static_cast<std::int64_t>(1e9 / per_second) : 0),
        burst_(std::max<std::int64_t>(interval_, 1'000'000'000)) {}

  // Takes a token where there is one: 0. Else nothing is taken, and the answer is when there will be one.
  Duration take(TimePoint now) {
    if (interval_ == 0) return {};
    const std::int64_t at = now.time_since_epoch().count();
    std::int64_t full = full_.load(std::memory_order_relaxed);
    while (true) {
      const std::int64_t next = std::max(full, at) + interval_;
      if (next - at > burst_) return Duration(next - at - burst_);
      if (full_.compare_exchange_weak(full, next, std::memory_order_relaxed)) return {};
    }
  }

 private:
  const std::int64_t interval_;  // ns between two requests
  const std::int64_t burst_;     // ns
  std::atomic<std::int64_t> full_ = 0;
};

}  // namespace bascule::access

#pragma once

#include <chrono>
#include <ctime>

namespace bascule {

// Monotonic time, in the clock given to a component so that tests and simulations can hold its hands.
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Thread-safety: thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;
};

// The machine's monotonic clock.
// Thread-safety: thread-safe.
class SteadyClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

// The processor time that the calling thread has used: for how long work takes, however busy the machine is.
// Its times mean nothing beside another thread's or another clock's. Thread-safety: thread-safe.
class ThreadTimeClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return TimePoint(std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec));
  }
};

[[nodiscard]] inline double to_ms(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }
[[nodiscard]] inline double to_seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace bascule

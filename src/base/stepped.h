#pragma once

// For tests: an executor, a timer and a clock that move when they are told to, on the thread that tells.
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/timer.h"

namespace bascule {

// Thread-safety: external (one owner).
class HeldClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time = TimePoint{} + std::chrono::hours(1);
};

// Thread-safety: external (one owner).
class StepExecutor final : public Executor {
 public:
  Result<void> post(Work work, std::size_t /*cost*/) override {
    if (stopped) return Error{.code = Code::kUnavailable, .message = "Stopped."};
    if (queue.size() >= most) return Error{.code = Code::kResourceExhausted, .message = "Full."};
    queue.push_back(std::move(work));
    return {};
  }
  Result<void> post_brief(Work work) override {
    ++brief;
    return post(std::move(work), 1);
  }
  [[nodiscard]] std::size_t width() const override { return 1; }
  // All that was posted, and what that posts.
  void run() {
    while (!queue.empty()) {
      Work work = std::move(queue.front());
      queue.erase(queue.begin());
      work();
    }
  }
  std::vector<Work> queue;
  std::size_t most = 100;
  std::size_t brief = 0;  // of all that was posted
  bool stopped = false;
};

// Thread-safety: external (one owner).
class HeldTimer final : public Timer {
 public:
  void call_at(TimePoint when, Work work) override { calls.emplace(when, std::move(work)); }
  void run_until(TimePoint now) {
    while (!calls.empty() && calls.begin()->first <= now) {
      Work work = std::move(calls.begin()->second);
      calls.erase(calls.begin());
      work();
    }
  }
  std::multimap<TimePoint, Work> calls;
};

}  // namespace bascule

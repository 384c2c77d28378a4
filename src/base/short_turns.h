#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace bascule {

// Keeps the turns of threads that compute short while others do brief work. Linux prefers those
// (executor.cc), but one that has just run for a while and was interrupted, or is woken again at once, is
// some microseconds past its share: a thread that computes gets the core, and Linux chooses anew at its next
// tick, up to 4 ms later, or when a thread wakes up there. So on each core one wakes up that does nothing
// else. Thread-safety: thread-safe.
class ShortTurns {
 public:
  ShortTurns();
  ~ShortTurns();
  ShortTurns(const ShortTurns&) = delete;
  ShortTurns& operator=(const ShortTurns&) = delete;

  // Whether all that can compute does; else a core is free for others, and `keep` does nothing.
  void set_full(bool full) { full_.store(full, std::memory_order_relaxed); }
  // From now on, for a while. Called with each piece of brief work, which it costs next to nothing.
  void keep();

 private:
  class Core;

  void begin();
  [[nodiscard]] bool over() const;

  std::atomic<bool> full_ = false;
  std::atomic<bool> idle_ = true;  // the first core's thread is to be told, or there is none
  std::atomic<TimePoint> ends_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Core>> cores_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule

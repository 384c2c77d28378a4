#pragma once

#include <atomic>
#include <cstddef>
#include <ctime>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace bascule {

// Threads that answer are run before those that compute (`ThreadPoolOptions::computes`), so that so many
// requests for little can come that next to nothing is left to compute with. This looks now and then at what
// both had of the processor, and has those that answer pause where the others had too little.
// Thread-safety: thread-safe.
class FairShare {
 public:
  // How often it looks, and how long it pauses then at most.
  static constexpr Duration kWindow = std::chrono::milliseconds(10);
  static constexpr Duration kPause = std::chrono::milliseconds(4);

  FairShare();

  // From now on the calling thread's time counts as answering. Safe to call again.
  void join();
  // Whether a window is over; then `look` is to be called.
  [[nodiscard]] bool due(TimePoint now) const;
  // `occupied`: for how long threads have had something to compute, all together, since the beginning.
  void look(TimePoint now, Duration occupied);
  // Returns at once, but where those that compute had less than a quarter of what they could have used while
  // others answered for longer: then at the end of the pause.
  void pause(TimePoint now);

 private:
  struct Answering {
    clockid_t clock{};
    Duration used{};
  };
  // What they used since the last time, those that have ended left out.
  Duration answered() BASCULE_REQUIRES(mutex_);

  std::atomic<TimePoint> window_ends_;
  std::atomic<TimePoint> pause_ends_;
  Mutex mutex_;
  ConditionVariable pausing_;  // nobody ends it
  std::vector<Answering> answering_ BASCULE_GUARDED_BY(mutex_);
  Duration used_ BASCULE_GUARDED_BY(mutex_);  // by the whole process
  Duration occupied_ BASCULE_GUARDED_BY(mutex_){};
};

}  // namespace bascule

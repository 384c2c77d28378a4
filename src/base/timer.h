#pragma once

#include <functional>
#include <map>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"

namespace bascule {

// Wakes whoever waits for a time, so that waiting costs no thread. Given to whoever needs it, so that a
// simulation can hold the time.
// Thread-safety: thread-safe.
class Timer {
 public:
  using Work = std::move_only_function<void()>;
  virtual ~Timer() = default;

  // Runs `work` once, soon after `when` (never before), on the timer's own thread; it must be short. A call
  // that is no longer wanted is made all the same: `work` must find out for itself.
  virtual void call_at(TimePoint when, Work work) = 0;
};

// One thread that waits.
// Thread-safety: thread-safe.
class TimerThread final : public Timer {
 public:
  explicit TimerThread(const Clock& clock);
  ~TimerThread() override;
  TimerThread(const TimerThread&) = delete;
  TimerThread& operator=(const TimerThread&) = delete;

  void call_at(TimePoint when, Work work) override;
  // Drops what was not due and joins; later calls are dropped. Called by one thread, not the timer's own.
  void stop();

 private:
  void run();

  const Clock& clock_;
  Mutex mutex_;
  ConditionVariable wake_;
  std::multimap<TimePoint, Work> calls_ BASCULE_GUARDED_BY(mutex_);
  bool stopping_ BASCULE_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace bascule

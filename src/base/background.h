#pragma once

#include <atomic>
#include <cstddef>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"

namespace bascule {

// Threads, of which one at a time does long work that nobody else's work may wait for, such as loading a
// model. Once told to yield, each piece of it has what the other threads leave of the cores; where they leave
// next to nothing when it begins, about a tenth of a core beside one that always computes, so that it does
// not take forever. Threads that the work makes inherit that.
// Thread-safety: thread-safe.
class BackgroundExecutor final : public Executor {
 public:
  // `max_queue`: work waiting beyond this is refused. Threads are called after `name`.
  BackgroundExecutor(const std::string& name, std::size_t max_queue);

  Result<void> post(Work work, std::size_t cost = 1) override;
  [[nodiscard]] std::size_t width() const override { return 1; }

  ~BackgroundExecutor() override { drain(); }
  BackgroundExecutor(const BackgroundExecutor&) = delete;
  BackgroundExecutor& operator=(const BackgroundExecutor&) = delete;

  // From now on; before, the work is like any other.
  void yield() { yields_ = true; }
  // Finishes what was accepted, refuses what comes later, and joins. Called by one thread, not its own.
  void drain();

 private:
  void run(Work& work);
  [[nodiscard]] bool something_is_left();

  std::atomic<bool> yields_ = false;
  Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ BASCULE_GUARDED_BY(mutex_) = false;  // nothing is looked at any more
  SteadyClock clock_;
  TimePoint looked_{};  // for the next two: the pool's one thread alone
  bool left_ = true;
  ThreadPool idle_;  // one of these works while the pool's thread waits
  ThreadPool nice_;
  ThreadPool pool_;
};

}  // namespace bascule

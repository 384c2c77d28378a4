#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace bascule {

// Where work runs that must not block its caller. Given to whoever needs it, so that a simulation can run
// everything on one thread.
// Thread-safety: thread-safe.
class Executor {
 public:
  using Work = std::move_only_function<void()>;
  virtual ~Executor() = default;

  // Runs `work` soon, once. Errors: kResourceExhausted when the queue is at its bound, kUnavailable once
  // stopping; `work` is then destroyed unrun.
  virtual Result<void> post(Work work) = 0;
  // How many pieces of work run at the same time.
  [[nodiscard]] virtual std::size_t width() const = 0;
};

struct ThreadPoolOptions {
  std::string name = "worker";   // threads are called NAME-0, NAME-1, … (15 characters are kept)
  std::size_t threads = 1;       // at least 1
  std::size_t max_queue = 4096;  // work waiting beyond this is refused
};

// A fixed set of threads and one bounded queue. The destructor drains.
// Thread-safety: thread-safe.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(ThreadPoolOptions options);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Result<void> post(Work work) override;
  [[nodiscard]] std::size_t width() const override { return width_; }
  // Finishes what was accepted, refuses what comes later, and joins. Called by one thread, not one of the
  // pool's.
  void drain();

 private:
  void run(std::size_t index);

  const ThreadPoolOptions options_;
  const std::size_t width_;
  Mutex mutex_;
  ConditionVariable wake_;
  std::deque<Work> queue_ BASCULE_GUARDED_BY(mutex_);
  bool stopping_ BASCULE_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

// Names the calling thread for ps, top and debuggers; 15 characters are kept.
void set_thread_name(const std::string& name);

}  // namespace bascule

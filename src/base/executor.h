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

  // Runs `work` soon, once, in the order of posting. `cost`: the CPU tokens that it holds while it runs, one
  // for each core that it keeps busy; at most `width()` of them are taken. Errors: kResourceExhausted when
  // the queue is at its bound, kUnavailable once stopping; `work` is then destroyed unrun.
  virtual Result<void> post(Work work, std::size_t cost = 1) = 0;
  // How many tokens there are: so many pieces of work of one token run at the same time.
  [[nodiscard]] virtual std::size_t width() const = 0;
};

struct ThreadPoolOptions {
  std::string name = "worker";   // threads are called NAME-0, NAME-1, … (15 characters are kept)
  std::size_t threads = 1;       // at least 1
  std::size_t max_queue = 4096;  // work waiting beyond this is refused
};

// A fixed set of threads, as many tokens, and one bounded queue. Strictly first come, first served: work of
// many tokens is waited for, and nothing that came later overtakes it. The destructor drains.
// Thread-safety: thread-safe.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(ThreadPoolOptions options);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Result<void> post(Work work, std::size_t cost = 1) override;
  [[nodiscard]] std::size_t width() const override { return width_; }
  // Finishes what was accepted, refuses what comes later, and joins. Called by one thread, not one of the
  // pool's.
  void drain();

 private:
  struct Entry {
    Work work;
    std::size_t cost;
  };

  void run(std::size_t index);
  [[nodiscard]] bool can_begin() const BASCULE_REQUIRES(mutex_) {
    return !queue_.empty() && queue_.front().cost <= free_;
  }

  const ThreadPoolOptions options_;
  const std::size_t width_;
  Mutex mutex_;
  ConditionVariable wake_;
  std::deque<Entry> queue_ BASCULE_GUARDED_BY(mutex_);
  std::size_t free_ BASCULE_GUARDED_BY(mutex_);        // tokens
  std::size_t untold_ BASCULE_GUARDED_BY(mutex_) = 0;  // posts that woke no thread, since none could begin
  bool stopping_ BASCULE_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

// Names the calling thread for ps, top and debuggers; 15 characters are kept.
void set_thread_name(const std::string& name);

}  // namespace bascule

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/core_spread.h"
#include "base/fair_share.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/short_turns.h"

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
  // As `post` with one token, for work that is known to take no longer than `kBrief`: it may begin while all
  // tokens are taken, so that it does not wait for work that takes long. Its order is kept among its like.
  virtual Result<void> post_brief(Work work) { return post(std::move(work)); }
  // Called by a thread that does brief work itself in place of posting it: for a while it waits no longer for
  // a core than if it had.
  virtual void brief_here() {}
  // Called by a thread that answers, between two pieces of what it does: pauses it for some milliseconds
  // where it and its like have left those of the executor next to nothing of the processor. Else costs
  // nothing.
  virtual void give_way() {}
  // Called by a piece of work of one token that could use `more` of them for a while: true where nothing else
  // runs or waits, and nothing was in its way the last times; they are its own until `give_back`. Never
  // waits.
  [[nodiscard]] virtual bool try_take(std::size_t /*more*/) { return false; }
  // With what `try_take` gave.
  virtual void give_back(std::size_t /*more*/) {}
  // How many tokens there are: so many pieces of work of one token run at the same time.
  [[nodiscard]] virtual std::size_t width() const = 0;
};

// The longest that brief work takes: about what a thread is kept waiting for a core that others use.
inline constexpr Duration kBrief = std::chrono::milliseconds(5);

struct ThreadPoolOptions {
  std::string name = "worker";   // threads are called NAME-0, NAME-1, … (15 characters are kept)
  std::size_t threads = 1;       // at least 1
  std::size_t max_queue = 4096;  // work waiting beyond this is refused
  bool brief = false;            // one more thread, NAME-brief, for brief work; it takes no token
  // The work computes for long: beside it, threads that wake up to answer something are run first. Linux
  // gives a thread that computes turns of up to 4 ms, and the answers of other models would wait for them.
  // Pieces of it with one token keep off each other's cores.
  bool computes = false;
};

// A fixed set of threads, as many tokens, and one bounded queue. First come, first served: work of many
// tokens is waited for, and nothing that came later overtakes it, but brief work where there is a thread for
// it: one piece at a time, beyond the tokens. The destructor drains. Thread-safety: thread-safe.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(ThreadPoolOptions options);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Result<void> post(Work work, std::size_t cost = 1) override;
  Result<void> post_brief(Work work) override;
  // False until kLone times in a row nothing else ran or waited, and nothing was posted while all tokens were
  // taken so: who shares the cores with others would have them wait for more than its own part.
  [[nodiscard]] bool try_take(std::size_t more) override;
  void give_back(std::size_t more) override;
  void brief_here() override;
  // Does nothing where the pool's work does not compute, or on one of its threads.
  void give_way() override;
  [[nodiscard]] std::size_t width() const override { return width_; }
  static constexpr std::size_t kLone = 8;
  // Finishes what was accepted, refuses what comes later, and joins. Called by one thread, not one of the
  // pool's.
  void drain();

 private:
  struct Entry {
    Work work = nullptr;
    std::size_t cost = 0;
    std::uint64_t number = 0;  // in the order of posting
  };

  Result<void> add(Work work, std::size_t cost, std::deque<Entry>& queue) BASCULE_REQUIRES(mutex_);
  void run(std::size_t index);
  void run_brief();
  [[nodiscard]] bool empty() const BASCULE_REQUIRES(mutex_) { return queue_.empty() && brief_.empty(); }
  // Adds to `occupied_` what has passed.
  void note() BASCULE_REQUIRES(mutex_);
  void take(std::size_t tokens) BASCULE_REQUIRES(mutex_);
  void release(std::size_t tokens) BASCULE_REQUIRES(mutex_);
  // The queue whose first came before the other's.
  [[nodiscard]] std::deque<Entry>& first() BASCULE_REQUIRES(mutex_);
  [[nodiscard]] bool can_begin() BASCULE_REQUIRES(mutex_) {
    return !empty() && first().front().cost <= free_;
  }

  const ThreadPoolOptions options_;
  const std::size_t width_;
  FairShare share_;
  CoreSpread spread_;
  ShortTurns turns_;
  Mutex mutex_;
  ConditionVariable wake_;
  ConditionVariable wake_brief_;
  std::deque<Entry> queue_ BASCULE_GUARDED_BY(mutex_);
  std::deque<Entry> brief_ BASCULE_GUARDED_BY(mutex_);  // where there is a thread for it
  std::uint64_t posted_ BASCULE_GUARDED_BY(mutex_) = 0;
  std::size_t free_ BASCULE_GUARDED_BY(mutex_);        // tokens
  std::size_t extra_ BASCULE_GUARDED_BY(mutex_) = 0;   // of those taken, by `try_take`
  std::size_t lone_ BASCULE_GUARDED_BY(mutex_) = 0;    // times in a row that nothing else ran or waited
  std::size_t untold_ BASCULE_GUARDED_BY(mutex_) = 0;  // posts that woke no thread, since none could begin
  bool brief_idles_ BASCULE_GUARDED_BY(mutex_) =
      false;                                        // the thread for brief work waits, and was told of none
  Duration occupied_ BASCULE_GUARDED_BY(mutex_){};  // for how long tokens were taken, each for itself
  TimePoint noted_ BASCULE_GUARDED_BY(mutex_);
  bool stopping_ BASCULE_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

// Names the calling thread for ps, top and debuggers; 15 characters are kept.
void set_thread_name(const std::string& name);

}  // namespace bascule

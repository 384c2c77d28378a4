#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/timer.h"
#include "batching/admission.h"
#include "batching/batch_policy.h"
#include "batching/sabotage.h"

namespace bascule::batching {

// Set by whoever asked once the answer is no longer wanted.
using CancelToken = std::shared_ptr<const std::atomic<bool>>;

// A request that waits. It is answered once: by the run it becomes part of, or by `refuse`.
// Thread-safety: external (one owner).
class Item {
 public:
  virtual ~Item() = default;
  // Answers with why it was not run. On any thread that drives the batcher, never under a lock.
  virtual void refuse(Error why) = 0;

  std::string key;          // requests of equal keys fit into one run; empty: fits with none
  std::size_t rows = 1;     // that it adds to a run
  std::uint32_t level = 0;  // the lowest is served first; within a level in the order of arrival
  std::optional<TimePoint> deadline;
  CancelToken cancelled;  // may be null
  // Set by the batcher when it is let in: when, and as which of all, from 1; 0: it was not.
  TimePoint since;
  std::uint64_t number = 0;
};
using Batch = std::vector<std::unique_ptr<Item>>;

struct BatcherOptions {
  std::string model;  // for messages
  std::size_t instances = 1;
  std::size_t cost = 1;  // CPU tokens that a run takes
  BatchPolicy policy;
  AdmissionLimits limits;
  Duration expected_run{};  // what one request is taken to cost until one was measured; 0: nothing is known
  // Runs that take less than this by the average go to the executor as brief work; 0: none does.
  Duration brief_run{};
  Sabotage sabotage = Sabotage::kNone;
};

// What drives it. All outlive the batcher.
struct Driver {
  Executor& executor;
  Timer& timer;
  const Clock& clock;
};

// The queue of one model: lets requests in or refuses them, drops what expired or is no longer wanted, and
// runs what has gathered whenever one of its instances is idle. Starts no thread and never blocks. A batch is
// taken when its work begins, not when it is posted, so that it holds whatever came until then.
// Thread-safety: thread-safe.
class Batcher : public std::enable_shared_from_this<Batcher> {
 public:
  // Runs a batch, at least one item, and answers each of them. At most `instances` run at once, on the
  // executor. True: it took as long as runs do; false: less, so that what is expected is not learned from it.
  using Run = std::function<bool(Batch batch)>;

  Batcher(BatcherOptions options, Driver driver, Run run);
  // Refuses what still waits.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // Lets in or refuses. Refusals: kResourceExhausted with kQueueFull and a time to come back;
  // kDeadlineExceeded, at once or later; kCancelled; what the executor says when it takes no more work.
  void submit(std::unique_ptr<Item> item);
  // Why a request that came now would not be let in, whatever its level; nothing where one might be. For
  // those who want to know before they have read all of it.
  [[nodiscard]] std::optional<Error> would_refuse();

  // True where nothing waits and nothing runs.
  [[nodiscard]] bool idle() const;
  // For a caller that would rather run its request itself, at once, than hand it over: true where nothing
  // waits and an instance is idle, which is the caller's until it calls `end`.
  [[nodiscard]] bool try_begin();
  void end();

  [[nodiscard]] std::size_t waiting() const;

 private:
  struct Dropped {
    Batch expired;
    Batch cancelled;
  };

  void advance();
  Result<void> post_pull();
  [[nodiscard]] bool brief() const;
  void pull(TimePoint posted);
  bool run_one(TimePoint posted);
  void wake_at(TimePoint when);
  void on_timer(TimePoint armed);
  static void refuse_all(const Batch& batch, const Error& why);
  void refuse(const Dropped& dropped) const;

  std::unique_ptr<Item> let_in(std::unique_ptr<Item> item, TimePoint now, std::optional<QueueRefusal>& why)
      BASCULE_REQUIRES(mutex_);
  Dropped clean(TimePoint now) BASCULE_REQUIRES(mutex_);
  Action next(TimePoint now) const BASCULE_REQUIRES(mutex_);
  Batch take(const std::vector<std::size_t>& places) BASCULE_REQUIRES(mutex_);
  Dropped sweep(TimePoint now, std::size_t most) BASCULE_REQUIRES(mutex_);
  Batch all_of_it() BASCULE_REQUIRES(mutex_);
  // The time to arm the timer for; nothing where it is already set for then or earlier.
  std::optional<TimePoint> to_arm(const Action& action) BASCULE_REQUIRES(mutex_);
  [[nodiscard]] std::size_t batches_waiting() const BASCULE_REQUIRES(mutex_);
  [[nodiscard]] std::size_t behind(std::uint32_t level) const BASCULE_REQUIRES(mutex_);
  [[nodiscard]] QueueLoad load_for(std::uint32_t level) const BASCULE_REQUIRES(mutex_);
  // What the item adds to the sum below: a larger one fills a run as well, and the sum cannot wrap around.
  [[nodiscard]] std::size_t counted_rows(const Item& item) const;
  [[nodiscard]] Error queue_full(const QueueRefusal& why, std::size_t waiting) const;

  const BatcherOptions options_;
  const Driver driver_;
  const Run run_;
  mutable Mutex mutex_;
  std::deque<std::unique_ptr<Item>> queue_ BASCULE_GUARDED_BY(mutex_);  // by level, then by arrival
  std::size_t rows_ BASCULE_GUARDED_BY(mutex_) = 0;                     // of the queue, counted
  std::uint64_t let_in_ BASCULE_GUARDED_BY(mutex_) = 0;                 // so far
  std::size_t claims_ BASCULE_GUARDED_BY(mutex_) = 0;                   // instances at work, or about to be
  std::size_t posted_ BASCULE_GUARDED_BY(mutex_) = 0;                   // of them, those that have not begun
  Duration per_request_ BASCULE_GUARDED_BY(mutex_){};
  Duration each_run_ BASCULE_GUARDED_BY(mutex_){};  // without the wait for the executor
  TimePoint first_deadline_ BASCULE_GUARDED_BY(mutex_) = TimePoint::max();  // or earlier
  TimePoint armed_ BASCULE_GUARDED_BY(mutex_) = TimePoint::max();
  TimePoint next_clean_ BASCULE_GUARDED_BY(mutex_){};  // when a full queue is looked through again
};

}  // namespace bascule::batching

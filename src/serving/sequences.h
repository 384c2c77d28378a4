#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/timer.h"
#include "batching/batcher.h"
#include "content/sequence.h"
#include "serving/sequence_memory.h"

namespace bascule::serving {

// Bugs that tests/sim seeds one by one, to show that it would find them.
enum class SequenceSabotage : std::uint8_t {
  kNone,
  kOverlap,          // a request is sent though one of its sequence is under way
  kReorder,          // the newest of a sequence goes first
  kExceedSlots,      // one sequence more than there are slots
  kForgetToBind,     // whoever waits for a slot is not told that one is free
  kNeverIdle,        // no sequence is given up
  kIdleWhileBusy,    // a sequence is given up while a request of it is under way
  kNeverExpire,      // deadlines do not end a wait for the sequence
  kGoOnUnstarted,    // requests go on whose first one was not run
  kAcceptUnstarted,  // a first request needs no START
  kMixStates,        // a request gets what another sequence has kept
  kKeepState,        // a sequence begins with what the last one of its name has kept
  kForgetState,      // what a request leaves is not kept
  kNeverDropState,   // what a sequence has kept stays when it is over
};
inline constexpr SequenceSabotage kLastSequenceSabotage = SequenceSabotage::kNeverDropState;

// Of one model. Thread-safety: a value.
struct SequenceLimits {
  std::size_t slots = 1;  // sequences that are under way at once; others wait for one of them to end
  Duration max_idle = std::chrono::seconds(1);
  std::size_t max_waiting = 1000;  // requests; 0: no limit
  bool keeps_state = false;        // the model has states
};

// Keeps the requests of each sequence of one model in order and apart: the next one is sent on once the one
// before it was answered. A sequence holds a slot from its START to its END, or until it was idle for too
// long. A slot is a place in the count of those under way, no row of a run: a model keeps nothing between
// runs, so that it cannot tell. What the model is given back at the next step is kept here, from a START to
// the END, or until the sequence is given up. It starts no thread and never blocks.
//
// A request that was let in and not run, since its time was over, its caller gone or the queue full, leaves
// its sequence as it was, but for a START: then the sequence has not begun, and what waits behind is refused
// up to the next START. A START in the middle of a sequence begins it anew, behind what waits.
// Thread-safety: thread-safe.
class Sequences : public std::enable_shared_from_this<Sequences> {
 public:
  // To be called once by whoever was given a request, after it was answered; `ran`: whether the model has
  // seen it.
  using Done = std::move_only_function<void(bool ran)>;
  // `memory`: of the request's sequence, for this request alone until `done`; null where no state is kept.
  using Forward = std::function<void(std::unique_ptr<batching::Item> item,
                                     std::shared_ptr<SequenceMemory> memory, Done done)>;

  // `model`: for messages. Timer and clock outlive it, except that the timer may have been stopped.
  Sequences(std::string model, Timer& timer, const Clock& clock, Forward forward,
            SequenceSabotage sabotage = SequenceSabotage::kNone);
  // Refuses what still waits.
  ~Sequences();
  Sequences(const Sequences&) = delete;
  Sequences& operator=(const Sequences&) = delete;

  // Lets in or refuses. `limits` are those that count from now on. Refusals: kInvalidArgument for a step of
  // no sequence, or of one that has not begun; kResourceExhausted with kQueueFull; kDeadlineExceeded and
  // kCancelled, later.
  void submit(std::unique_ptr<batching::Item> item, const content::SequenceStep& step,
              const SequenceLimits& limits);

  [[nodiscard]] std::size_t waiting() const;
  // Sequences that hold a slot, or wait for one.
  [[nodiscard]] std::size_t known() const;
  // Bytes that all sequences keep.
  [[nodiscard]] std::uint64_t kept_bytes() const { return kept_->load(std::memory_order_relaxed); }

 private:
  using Id = content::SequenceId;
  struct Step {
    std::unique_ptr<batching::Item> item;
    bool start = false;
    bool end = false;
    TimePoint since;
  };
  struct Sequence {
    std::deque<Step> waiting;
    bool bound = false;  // holds a slot
    bool busy = false;   // a request of it is under way
    bool began = false;  // of what was sent on: a START, and no END since
    bool open = false;   // the same once all that waits was run: the next request needs no START
    TimePoint idle_since;
    std::shared_ptr<SequenceMemory> memory;
  };
  using Refusal = std::pair<std::unique_ptr<batching::Item>, Error>;
  using Refusals = std::vector<Refusal>;

  struct Flags {
    bool start = false;
    bool end = false;
  };

  void drive();
  struct Next {
    Id id;
    Step step;
    std::shared_ptr<SequenceMemory> memory;
  };
  std::optional<Next> next(Refusals& refusals);
  void remember(Sequence& sequence, const Step& step) BASCULE_REQUIRES(mutex_);
  void over(const Id& id, Flags flags, bool ran);
  void on_timer(TimePoint armed);
  void arm();
  static void refuse(Refusals refusals);
  [[nodiscard]] bool late(const Step& step, TimePoint now) const;
  [[nodiscard]] static bool gone(const Step& step);
  [[nodiscard]] Error not_started(const Id& id, std::string_view because) const;
  [[nodiscard]] Error full() const BASCULE_REQUIRES(mutex_);
  // Why the request may not be let in, or nothing.
  [[nodiscard]] std::optional<Error> objection(const Id& id, const content::SequenceStep& step) const
      BASCULE_REQUIRES(mutex_);
  [[nodiscard]] bool would_wait(const Id& id) const BASCULE_REQUIRES(mutex_);
  void let_in(Step step, const Id& id) BASCULE_REQUIRES(mutex_);
  void settle(const Id& id, Sequence& sequence, TimePoint now) BASCULE_REQUIRES(mutex_);
  void forget(const Id& id, const Sequence& sequence) BASCULE_REQUIRES(mutex_);
  void bind() BASCULE_REQUIRES(mutex_);
  bool prune(const Id& id, Sequence& sequence, TimePoint now, bool lost, Refusals& refusals)
      BASCULE_REQUIRES(mutex_);
  void sweep(TimePoint now, Refusals& refusals) BASCULE_REQUIRES(mutex_);
  [[nodiscard]] bool given_up(const Sequence& sequence, TimePoint now) const BASCULE_REQUIRES(mutex_);
  [[nodiscard]] TimePoint next_due() const BASCULE_REQUIRES(mutex_);

  const std::string model_;
  Timer& timer_;
  const Clock& clock_;
  const Forward forward_;
  const SequenceSabotage sabotage_;
  const std::shared_ptr<KeptBytes> kept_ = std::make_shared<KeptBytes>(0);
  mutable Mutex mutex_;
  SequenceLimits limits_ BASCULE_GUARDED_BY(mutex_);
  std::map<Id, Sequence> sequences_ BASCULE_GUARDED_BY(mutex_);
  std::deque<Id> backlog_ BASCULE_GUARDED_BY(mutex_);  // those that wait for a slot, the first first
  std::deque<Id> ready_ BASCULE_GUARDED_BY(mutex_);    // those that may have a request to send on
  std::size_t bound_ BASCULE_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ BASCULE_GUARDED_BY(mutex_) = 0;                 // requests
  bool driving_ BASCULE_GUARDED_BY(mutex_) = false;                    // someone sends on what is ready
  TimePoint first_due_ BASCULE_GUARDED_BY(mutex_) = TimePoint::max();  // or earlier
  TimePoint armed_ BASCULE_GUARDED_BY(mutex_) = TimePoint::max();
  std::vector<std::shared_ptr<SequenceMemory>> never_dropped_ BASCULE_GUARDED_BY(mutex_);  // of the bug
  TimePoint next_clean_ BASCULE_GUARDED_BY(mutex_){};  // when all that waits is looked through again
};

}  // namespace bascule::serving

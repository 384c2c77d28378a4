#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "runs/answer.h"
#include "runs/item.h"

namespace bascule::runs {

// The units that are under way, in their order: put in by the reader, taken and answered by any number of
// threads, given out in the order in which they came. Bounded, so that neither a slow reader nor a slow unit
// lets memory grow: in units, and in the bytes of frames that wait for their answer, which are let go with
// it. Thread-safety: thread-safe.
class Window {
 public:
  static constexpr std::size_t kMaxFrameBytes = std::size_t{512} << 20U;

  explicit Window(std::size_t most) : most_(most) {}

  // Waits for room; one unit always has it. False once it is closed.
  bool put(Unit unit);
  // There is nothing more to put in, because of `why` where it is an error.
  void end(Result<void> why);

  struct Task {
    std::uint64_t number = 0;
    const Unit* unit = nullptr;  // valid until `done`
  };
  // Waits; nothing once there is no more to do.
  std::optional<Task> take();
  void done(std::uint64_t number, Answered answered);

  struct Finished {
    Unit unit;
    Answered answered;
  };
  enum class State : std::uint8_t { kFinished, kWaiting, kEnded };
  // The next one in order, waiting for it at most so long.
  State next(Finished& out, Duration most);
  // How the input ended; valid after kEnded.
  [[nodiscard]] Result<void> ending();

  // Lets nothing more in, and forgets what nobody has taken yet.
  void close();

 private:
  struct Slot {
    Unit unit;
    Answered answered = {};
    bool done = false;
  };

  [[nodiscard]] bool has_room() BASCULE_REQUIRES(mutex_) {
    return slots_.size() < most_ && frame_bytes_ < kMaxFrameBytes;
  }
  [[nodiscard]] bool first_is_done() BASCULE_REQUIRES(mutex_) {
    return !slots_.empty() && slots_.front().done;
  }
  [[nodiscard]] bool all_over() BASCULE_REQUIRES(mutex_) { return (ended_ || closed_) && slots_.empty(); }

  const std::size_t most_;
  Mutex mutex_;
  ConditionVariable room_;
  ConditionVariable work_;
  ConditionVariable ready_;
  std::deque<Slot> slots_ BASCULE_GUARDED_BY(mutex_);
  std::size_t frame_bytes_ BASCULE_GUARDED_BY(mutex_) = 0;
  std::uint64_t first_ BASCULE_GUARDED_BY(mutex_) = 0;  // number of the first slot
  std::size_t taken_ BASCULE_GUARDED_BY(mutex_) = 0;    // of the slots, from the first
  bool ended_ BASCULE_GUARDED_BY(mutex_) = false;
  bool closed_ BASCULE_GUARDED_BY(mutex_) = false;
  Result<void> ending_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule::runs

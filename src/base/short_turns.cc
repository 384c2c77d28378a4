#include "base/short_turns.h"

#include <sched.h>

#include <chrono>
#include <ctime>
#include <string>
#include <system_error>
#include <thread>

#include "base/executor.h"
#include "base/log.h"

namespace bascule {
namespace {

// Each time that a thread wakes up costs those that compute some microseconds. The hold is longer than most
// pauses between requests that come regularly: the last time it may put aside one that answers, too.
constexpr Duration kTurn = std::chrono::microseconds(500);
constexpr Duration kHold = std::chrono::milliseconds(25);

void sleep_a_turn() {
  constexpr timespec kTime{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(kTurn).count()};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &kTime, nullptr);
}

}  // namespace

// The thread of one core. Once told it tells the next one's, so that who has brief work tells one alone.
class ShortTurns::Core {
 public:
  Core(ShortTurns& turns, int number, Core* next, bool first)
      : turns_(turns), next_(next), first_(first), thread_([this, number] { run(number); }) {}

  void tell() {
    {
      MutexLock lock(mutex_);
      told_ = true;
    }
    wake_.notify_one();
  }
  void end() {
    {
      MutexLock lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  void run(int number);
  void rest();

  ShortTurns& turns_;
  Core* const next_;
  const bool first_;
  std::atomic<bool> rests_ = false;
  Mutex mutex_;
  ConditionVariable wake_;
  std::atomic<bool> ended_ = false;
  bool told_ BASCULE_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

void ShortTurns::Core::run(int number) {
  set_thread_name("turns-" + std::to_string(number));
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(number, &here);
  // Where it is refused, the core may no longer be used: the thread wakes up on another.
  [[maybe_unused]] const int refused = sched_setaffinity(0, sizeof(here), &here);
  while (!ended_) {
    if (turns_.over()) {
      rest();
      continue;
    }
    if (next_ != nullptr && next_->rests_) next_->tell();
    sleep_a_turn();
  }
}

void ShortTurns::Core::rest() {
  if (first_) {
    turns_.idle_ = true;
    if (!turns_.over()) {  // who keeps may have seen it before
      turns_.idle_ = false;
      return;
    }
  }
  MutexLock lock(mutex_);
  rests_ = true;
  wake_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) { return told_ || ended_; });
  told_ = false;
  rests_ = false;
}

ShortTurns::ShortTurns() = default;

ShortTurns::~ShortTurns() {
  MutexLock lock(mutex_);
  for (const auto& core : cores_) core->end();
}

void ShortTurns::keep() {
  if (!full_.load(std::memory_order_relaxed)) return;
  ends_.store(SteadyClock().now() + kHold);
  if (idle_.load()) begin();
}

bool ShortTurns::over() const { return SteadyClock().now() >= ends_.load(); }

void ShortTurns::begin() {
  if (!idle_.exchange(false)) return;
  MutexLock lock(mutex_);
  if (!cores_.empty()) return cores_.back()->tell();
  cpu_set_t mine;
  if (sched_getaffinity(0, sizeof(mine), &mine) != 0) return;  // more cores than it has bits
  const int all = CPU_COUNT(&mine);
  try {
    for (int core = CPU_SETSIZE - 1; core >= 0; --core) {
      if (!CPU_ISSET(core, &mine)) continue;
      Core* const next = cores_.empty() ? nullptr : cores_.back().get();
      const bool first = static_cast<int>(cores_.size()) + 1 == all;
      cores_.push_back(std::make_unique<Core>(*this, core, next, first));
    }
  } catch (const std::system_error& problem) {
    // Those that are there rest, and turns are as long as they were.
    log::warning(
        "No thread could be started that keeps the turns of computing threads short ({}): small requests "
        "may wait some milliseconds longer beside busy models. Raise the limit of threads.",
        problem.what());
  }
}

}  // namespace bascule

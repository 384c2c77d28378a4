#include "base/fair_share.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace bascule {
namespace {

// Of the time that they could have used. Much more, and small answers would wait more often than they do now.
constexpr double kLeast = 0.25;

// Nothing where the thread is no more.
std::optional<Duration> read(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return std::nullopt;
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

FairShare::FairShare() : used_(read(CLOCK_PROCESS_CPUTIME_ID).value_or(Duration{})) {}

void FairShare::join() {
  thread_local const FairShare* joined = nullptr;
  if (joined == this) return;
  joined = this;
  clockid_t clock{};
  if (pthread_getcpuclockid(pthread_self(), &clock) != 0) return;
  MutexLock lock(mutex_);
  answering_.push_back({.clock = clock, .used = read(clock).value_or(Duration{})});
}

bool FairShare::due(TimePoint now) const { return now >= window_ends_.load(std::memory_order_relaxed); }

Duration FairShare::answered() {
  Duration sum{};
  std::erase_if(answering_, [&sum](Answering& one) {
    const std::optional<Duration> used = read(one.clock);
    if (used) sum += *used - std::exchange(one.used, *used);
    return !used;
  });
  return sum;
}

void FairShare::look(TimePoint now, Duration occupied) {
  MutexLock lock(mutex_);
  if (!due(now)) return;  // another thread has looked meanwhile
  window_ends_.store(now + kWindow, std::memory_order_relaxed);
  const Duration wanted = occupied - std::exchange(occupied_, occupied);
  const Duration used = read(CLOCK_PROCESS_CPUTIME_ID).value_or(used_);
  const Duration answering = answered();
  const Duration had = used - std::exchange(used_, used) - answering;
  // Where those that answer are not the reason, their pause would help nobody.
  if (wanted > kWindow / 2 && had < wanted * kLeast && answering > had) {
    pause_ends_.store(now + kPause, std::memory_order_relaxed);
  }
}

void FairShare::pause(TimePoint now) {
  const TimePoint ends = pause_ends_.load(std::memory_order_relaxed);
  if (now >= ends) return;
  MutexLock lock(mutex_);
  pausing_.wait_for(mutex_, ends - now, [] { return false; });
}

}  // namespace bascule

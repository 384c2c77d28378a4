#include "base/core_spread.h"

#include <sched.h>

#if __has_include(<sys/rseq.h>)  // glibc since 2.35
#include <sys/rseq.h>
#endif

#include <atomic>

namespace bascule {
namespace {

// Where Linux keeps the number of the core that the calling thread is on up to date, for any thread to read
// (rseq(2)); null where the C library has not asked for it.
const std::uint32_t* current_core() {
#if __has_include(<sys/rseq.h>)
  if (__rseq_size == 0) return nullptr;
  const char* area = static_cast<const char*>(__builtin_thread_pointer()) + __rseq_offset;
  return &reinterpret_cast<const struct rseq*>(area)->cpu_id;
#else
  return nullptr;
#endif
}

}  // namespace

CoreSpread::CoreSpread(std::size_t threads) : places_(threads) {}

int CoreSpread::core_of(const Place& place) {
  if (place.current == nullptr) return place.began;
  // Only read; std::atomic_ref of C++23 wants what may be written.
  return static_cast<int>(
      std::atomic_ref(*const_cast<std::uint32_t*>(place.current)).load(std::memory_order_relaxed));
}

bool CoreSpread::taken(int core, std::size_t but) const {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (i != but && places_[i].computes && core_of(places_[i]) == core) return true;
  }
  return false;
}

std::optional<int> CoreSpread::better(std::size_t thread) const {
  const int core = places_[thread].began;
  if (core < 0 || !taken(core, thread)) return std::nullopt;  // below 0: the system does not say
  cpu_set_t mine;
  if (sched_getaffinity(0, sizeof(mine), &mine) != 0) return std::nullopt;  // more cores than it has bits
  for (int other = 0; other < CPU_SETSIZE; ++other) {
    if (CPU_ISSET(other, &mine) && !taken(other, thread)) return other;
  }
  return std::nullopt;
}

void CoreSpread::begin(std::size_t thread) {
  std::optional<int> core;
  {
    MutexLock lock(mutex_);
    places_[thread] = {.computes = true, .began = sched_getcpu(), .current = current_core()};
    core = better(thread);
    // Others that begin meanwhile see where it goes, not where it still is.
    if (core) places_[thread] = {.computes = true, .began = *core};
  }
  if (!core) return;
  cpu_set_t before;
  cpu_set_t there;
  CPU_ZERO(&there);
  CPU_SET(*core, &there);
  if (sched_getaffinity(0, sizeof(before), &before) == 0 &&
      sched_setaffinity(0, sizeof(there), &there) == 0) {
    sched_setaffinity(0, sizeof(before), &before);
  }
  MutexLock lock(mutex_);
  places_[thread].current = current_core();
}

void CoreSpread::end(std::size_t thread) {
  MutexLock lock(mutex_);
  places_[thread].computes = false;
}

}  // namespace bascule

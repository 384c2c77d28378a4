#include "base/timer.h"

#include <algorithm>
#include <utility>

#include "base/executor.h"

namespace bascule {
namespace {

// How long it sleeps at most; a time farther away is waited for in several sleeps.
constexpr Duration kLongestSleep = std::chrono::minutes(1);

}  // namespace

TimerThread::TimerThread(const Clock& clock) : clock_(clock), thread_([this] { run(); }) {}

TimerThread::~TimerThread() { stop(); }

void TimerThread::stop() {
  std::multimap<TimePoint, Work> dropped;  // destroyed outside the lock
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(calls_);
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TimerThread::call_at(TimePoint when, Work work) {
  bool first = false;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    const auto place = calls_.emplace(when, std::move(work));
    first = place == calls_.begin();
  }
  if (first) wake_.notify_one();
}

void TimerThread::run() {
  set_thread_name("timer");
  while (true) {
    Work work;
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      if (calls_.empty()) {
        wake_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) { return stopping_ || !calls_.empty(); });
        continue;
      }
      const TimePoint when = calls_.begin()->first;
      const Duration left = when - clock_.now();
      if (left > Duration{}) {
        wake_.wait_for(mutex_, std::min(left, kLongestSleep), [this, when]() BASCULE_REQUIRES(mutex_) {
          return stopping_ || calls_.empty() || calls_.begin()->first < when;
        });
        continue;
      }
      work = std::move(calls_.extract(calls_.begin()).mapped());
    }
    work();
  }
}

}  // namespace bascule

#include "base/background.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/cpu.h"

namespace bascule {
namespace {

// A tenth of a core's share beside one thread that always computes (executor.cc has its nice value). Much
// less, and a load would take minutes on a machine that has nothing left for it.
constexpr int kLittle = 19;
constexpr auto kLook = std::chrono::milliseconds(100);
constexpr int kLooks = 5;  // a server that is merely busy has nothing left for moments
constexpr double kNextToNothing = 0.04;
constexpr Duration kHolds = std::chrono::seconds(1);  // so long what was seen is taken to be so

// On Linux both are of the calling thread alone. Where a change is refused the thread goes on as it is.
void become_idle() {
  const sched_param none{};
  [[maybe_unused]] const int refused = sched_setscheduler(0, SCHED_IDLE, &none);
}

void become_nice() {
  const int now = getpriority(PRIO_PROCESS, 0);
  [[maybe_unused]] const int refused = setpriority(PRIO_PROCESS, 0, std::max(now, kLittle));
}

}  // namespace

BackgroundExecutor::BackgroundExecutor(const std::string& name, std::size_t max_queue)
    : idle_({.name = name + "-idle", .threads = 1}),
      nice_({.name = name + "-nice", .threads = 1}),
      pool_({.name = name, .threads = 1, .max_queue = max_queue}) {}

Result<void> BackgroundExecutor::post(Work work, std::size_t cost) {
  return pool_.post([this, work = std::move(work)]() mutable { run(work); }, cost);
}

// Only a thread that is idle by its policy leaves a core that it is on free in the scheduler's eyes. Beside a
// nice one requests are put on another core, and wait there: the slowest hundredth took twice as long. A
// thread does not get back what it gave up, so that there are three, of which one works. Work begins on the
// idle one before it yields, too: each thread has its arena of the C library, whose growth locks the
// process's memory map, and it has grown by then.
void BackgroundExecutor::run(Work& work) {
  const bool yields = yields_;
  const bool idle = !yields || something_is_left();
  std::promise<void> promise;
  const auto done = promise.get_future();
  const auto posted = (idle ? idle_ : nice_).post([&, promise = std::move(promise)]() mutable {
    if (yields && idle) become_idle();
    if (yields && !idle) become_nice();
    work();
    work = nullptr;  // what it holds goes here, too
    promise.set_value();
  });
  BASCULE_CHECK(posted);  // their queues are empty: this thread waits for each piece of work
  done.wait();
}

bool BackgroundExecutor::something_is_left() {
  if (looked_ != TimePoint{} && clock_.now() - looked_ <= kHolds) return left_;
  left_ = false;
  for (int look = 0; !left_ && look < kLooks; ++look) {
    const CpuReading before = read_cpu();
    MutexLock lock(mutex_);
    if (wake_.wait_for(mutex_, kLook, [this]() BASCULE_REQUIRES(mutex_) { return stopping_; })) break;
    left_ = spare_share(before, read_cpu()) > kNextToNothing;
  }
  looked_ = clock_.now();
  return left_;
}

void BackgroundExecutor::drain() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  pool_.drain();
}

}  // namespace bascule

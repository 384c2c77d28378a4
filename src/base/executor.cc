#include "base/executor.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"

namespace bascule {
namespace {

// Whose work, for which tokens are taken, this thread is doing.
thread_local const ThreadPool* working_for = nullptr;
// Whose brief work.
thread_local const ThreadPool* brief_for = nullptr;

// Added to the nice value of a thread that computes. Beside one that wants all of a core it then has a tenth
// of it, and what is left of one that others only answer on, as before; with 5, one that had just read a
// large body was kept waiting for a turn of the others: the slowest hundredth of a small model's answers took
// up to ten times as long beside a busy detector on the same core, with 10 one to two times in the median of
// the rounds (`bench/mixed.py`). A model is loaded with less (background.cc).
constexpr int kComputing = 10;
// The length of a turn of a thread that computes. A thread that wakes up takes the core from one whose turns
// are longer than its own (Linux since 6.12), else it may wait for the end of the turn. 100 ms is the most.
constexpr std::uint64_t kTurnNs = 20'000'000;

// What sched_setattr(2) takes; its own header declares what <sched.h> does, too.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

// The calling thread, and those that it makes from now on.
void let_others_first() {
  const SchedulingAttributes wanted{.nice = std::min(getpriority(PRIO_PROCESS, 0) + kComputing, 19),
                                    .runtime_ns = kTurnNs};
  // Zero is the calling thread: on Linux each thread has a nice value of its own. Where it is refused the
  // thread goes on as it is.
  [[maybe_unused]] const long refused = syscall(SYS_sched_setattr, 0, &wanted, 0);
}

// Whether so many threads leave none of this process's cores free. A quota of processor time (containers)
// may be for less than it has cores.
bool fill_all_cores(std::size_t threads) {
  static const std::size_t cores = [] {
    cpu_set_t mine;
    const bool known = sched_getaffinity(0, sizeof(mine), &mine) == 0;
    return known ? static_cast<std::size_t>(CPU_COUNT(&mine)) : std::size_t{CPU_SETSIZE};
  }();
  return threads >= cores;
}

}  // namespace

void set_thread_name(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

ThreadPool::ThreadPool(ThreadPoolOptions options)
    : options_(std::move(options)),
      width_(std::max<std::size_t>(options_.threads, 1)),
      spread_(width_),
      free_(width_) {
  threads_.reserve(width_ + 1);
  for (std::size_t i = 0; i < width_; ++i) {
    threads_.emplace_back([this, i] { run(i); });
  }
  if (options_.brief) threads_.emplace_back([this] { run_brief(); });
}

ThreadPool::~ThreadPool() { drain(); }

void ThreadPool::drain() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  wake_brief_.notify_all();
  threads_.clear();
}

std::deque<ThreadPool::Entry>& ThreadPool::first() {
  if (brief_.empty()) return queue_;
  return queue_.empty() || brief_.front().number < queue_.front().number ? brief_ : queue_;
}

Result<void> ThreadPool::add(Work work, std::size_t cost, std::deque<Entry>& queue) {
  if (stopping_) {
    return Error{.code = Code::kUnavailable, .message = "The server is shutting down."};
  }
  if (queue_.size() + brief_.size() >= options_.max_queue) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("The work queue holds {} requests, its limit. Try again "
                                        "later.",
                                        options_.max_queue),
                 .reason = Reason::kQueueFull};
  }
  queue.push_back(
      {.work = std::move(work), .cost = std::clamp<std::size_t>(cost, 1, width_), .number = ++posted_});
  return {};
}

Result<void> ThreadPool::post(Work work, std::size_t cost) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    BASCULE_TRY(add(std::move(work), cost, queue_));
    if (extra_ > 0) lone_ = 0;
    wake = can_begin();
    if (!wake) ++untold_;
  }
  if (wake) wake_.notify_one();
  return {};
}

Result<void> ThreadPool::post_brief(Work work) {
  if (!options_.brief) return post(std::move(work), 1);
  brief_here();
  bool wake = false;
  bool wake_brief = false;
  {
    MutexLock lock(mutex_);
    BASCULE_TRY(add(std::move(work), 1, brief_));
    const bool looks = brief_for == this;  // this thread does, for more
    wake_brief = !looks && std::exchange(brief_idles_, false);
    wake = !looks && !wake_brief && can_begin();
    if (!wake && !wake_brief) ++untold_;
  }
  if (wake) wake_.notify_one();
  if (wake_brief) wake_brief_.notify_one();
  return {};
}

bool ThreadPool::try_take(std::size_t more) {
  MutexLock lock(mutex_);
  // All that is taken is the caller's own token.
  const bool lone = free_ + 1 == width_ && empty();
  lone_ = lone ? lone_ + 1 : 0;
  if (lone_ < kLone || more > free_) return false;
  take(more);
  extra_ += more;
  return true;
}

void ThreadPool::give_back(std::size_t more) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    release(more);
    extra_ -= more;
    wake = untold_ > 0 && can_begin();
    if (wake) --untold_;
  }
  if (wake) wake_.notify_one();
}

void ThreadPool::brief_here() {
  // The threads that this may start inherit the caller's nice value: of one that computes they would be late.
  if (working_for != this) turns_.keep();
}

void ThreadPool::give_way() {
  if (!options_.computes || working_for == this) return;
  share_.join();
  const TimePoint now = SteadyClock().now();
  if (share_.due(now)) {
    Duration occupied{};
    {
      MutexLock lock(mutex_);
      note();
      occupied = occupied_;
    }
    share_.look(now, occupied);
  }
  share_.pause(now);
}

void ThreadPool::note() {
  if (!options_.computes) return;
  const TimePoint now = SteadyClock().now();
  occupied_ += (now - std::exchange(noted_, now)) * (width_ - free_);
}

void ThreadPool::take(std::size_t tokens) {
  note();
  free_ -= tokens;
  if (options_.computes) turns_.set_full(free_ == 0 && fill_all_cores(width_));
}

void ThreadPool::release(std::size_t tokens) {
  note();
  free_ += tokens;
  if (options_.computes) turns_.set_full(free_ == 0 && fill_all_cores(width_));
}

void ThreadPool::run(std::size_t index) {
  set_thread_name(fmt::format("{}-{}", options_.name, index));
  if (options_.computes) let_others_first();
  working_for = this;
  Entry entry;
  while (true) {
    bool wake = false;
    bool last = false;
    {
      MutexLock lock(mutex_);
      release(entry.cost);
      wake_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) { return can_begin() || (stopping_ && empty()); });
      if (empty()) return;
      std::deque<Entry>& queue = first();
      entry = std::move(queue.front());
      queue.pop_front();
      take(entry.cost);
      if (empty()) untold_ = 0;
      wake = untold_ > 0 && can_begin();
      if (wake) --untold_;
      last = stopping_ && empty();
    }
    if (wake) wake_.notify_one();
    if (last) wake_brief_.notify_one();
    if (last) wake_.notify_all();
    // One with more tokens computes on threads of its engine's, too, whose cores nobody here knows.
    const bool alone = options_.computes && entry.cost == 1;
    if (alone) spread_.begin(index);
    entry.work();
    entry.work = nullptr;  // what it holds goes before its tokens do
    if (alone) spread_.end(index);
  }
}

void ThreadPool::run_brief() {
  set_thread_name(fmt::format("{}-brief", options_.name));
  share_.join();
  brief_for = this;
  while (true) {
    Work work;
    bool last = false;
    {
      MutexLock lock(mutex_);
      wake_brief_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) {
        brief_idles_ = brief_.empty() && !stopping_;
        return !brief_idles_;
      });
      if (brief_.empty()) return;
      work = std::move(brief_.front().work);
      brief_.pop_front();
      last = stopping_ && empty();
    }
    if (last) wake_.notify_all();
    work();
  }
}

}  // namespace bascule

#include "base/executor.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace bascule {
namespace {

// Whose work, for which tokens are taken, this thread is doing.
thread_local const ThreadPool* working_for = nullptr;

// Added to the nice value of a thread that computes. It then has a sixth of a core that another thread wants
// all of, and what is left of one that others only answer on, as before. More would serve answers better yet,
// and starve what computes where many ask for little.
constexpr int kComputing = 7;

// The calling thread, and those that it makes from now on.
void let_others_first() {
  // Zero is the calling thread: on Linux each thread has a nice value of its own.
  [[maybe_unused]] const int refused =
      setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + kComputing);
}

}  // namespace

void set_thread_name(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

ThreadPool::ThreadPool(ThreadPoolOptions options)
    : options_(std::move(options)), width_(std::max<std::size_t>(options_.threads, 1)), free_(width_) {
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
    wake = can_begin();
    if (!wake) ++untold_;
  }
  if (wake) wake_.notify_one();
  return {};
}

Result<void> ThreadPool::post_brief(Work work) {
  if (!options_.brief) return post(std::move(work), 1);
  bool wake = false;
  {
    MutexLock lock(mutex_);
    BASCULE_TRY(add(std::move(work), 1, brief_));
    wake = can_begin();
    if (!wake) ++untold_;
  }
  if (wake) {
    wake_.notify_one();
  } else if (working_for != this) {  // one of the pool's is about to look for more itself
    wake_brief_.notify_one();
  }
  return {};
}

void ThreadPool::run(std::size_t index) {
  set_thread_name(fmt::format("{}-{}", options_.name, index));
  if (options_.computes) let_others_first();
  working_for = this;
  Entry entry;
  while (true) {
    bool wake = false;
    bool wake_brief = false;
    bool last = false;
    {
      MutexLock lock(mutex_);
      free_ += entry.cost;
      wake_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) { return can_begin() || (stopping_ && empty()); });
      if (empty()) return;
      std::deque<Entry>& queue = first();
      entry = std::move(queue.front());
      queue.pop_front();
      free_ -= entry.cost;
      if (empty()) untold_ = 0;
      wake = untold_ > 0 && can_begin();
      if (wake) --untold_;
      wake_brief = brief_waits();
      last = stopping_ && empty();
    }
    if (wake) wake_.notify_one();
    if (wake_brief || last) wake_brief_.notify_one();
    if (last) wake_.notify_all();
    entry.work();
    entry.work = nullptr;  // what it holds goes before its tokens do
  }
}

void ThreadPool::run_brief() {
  set_thread_name(fmt::format("{}-brief", options_.name));
  while (true) {
    Work work;
    bool last = false;
    {
      MutexLock lock(mutex_);
      wake_brief_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) {
        return brief_waits() || (stopping_ && brief_.empty());
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

#include "base/executor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace bascule {

void set_thread_name(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

ThreadPool::ThreadPool(ThreadPoolOptions options)
    : options_(std::move(options)), width_(std::max<std::size_t>(options_.threads, 1)), free_(width_) {
  threads_.reserve(width_);
  for (std::size_t i = 0; i < width_; ++i) {
    threads_.emplace_back([this, i] { run(i); });
  }
}

ThreadPool::~ThreadPool() { drain(); }

void ThreadPool::drain() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  threads_.clear();
}

Result<void> ThreadPool::post(Work work, std::size_t cost) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (stopping_) {
      return Error{.code = Code::kUnavailable, .message = "The server is shutting down."};
    }
    if (queue_.size() >= options_.max_queue) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("The work queue holds {} requests, its limit. Try again "
                                          "later.",
                                          options_.max_queue),
                   .reason = Reason::kQueueFull};
    }
    queue_.push_back({.work = std::move(work), .cost = std::clamp<std::size_t>(cost, 1, width_)});
    wake = can_begin();
    if (!wake) ++untold_;
  }
  if (wake) wake_.notify_one();
  return {};
}

void ThreadPool::run(std::size_t index) {
  set_thread_name(fmt::format("{}-{}", options_.name, index));
  Entry entry{.work = nullptr, .cost = 0};
  while (true) {
    bool wake = false;
    bool last = false;
    {
      MutexLock lock(mutex_);
      free_ += entry.cost;
      wake_.wait(mutex_,
                 [this]() BASCULE_REQUIRES(mutex_) { return can_begin() || (stopping_ && queue_.empty()); });
      if (queue_.empty()) return;
      entry = std::move(queue_.front());
      queue_.pop_front();
      free_ -= entry.cost;
      if (queue_.empty()) untold_ = 0;
      wake = untold_ > 0 && can_begin();
      if (wake) --untold_;
      last = stopping_ && queue_.empty();
    }
    if (wake) wake_.notify_one();
    if (last) wake_.notify_all();
    entry.work();
    entry.work = nullptr;  // what it holds goes before its tokens do
  }
}

}  // namespace bascule

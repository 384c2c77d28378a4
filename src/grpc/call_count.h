#pragma once

#include <atomic>
#include <cstddef>

#include "base/mutex.h"

namespace bascule::grpc_front {

// The calls that are waited for, under way, or ending. gRPC calls a server shut down when its connections are
// closed, and then its queues take nothing more: a call whose client has gone may still want to.
// Thread-safety: thread-safe.
class CallCount {
 public:
  void add() { ++count_; }
  void remove() {
    if (--count_ > 0) return;
    MutexLock lock(mutex_);
    none_.notify_all();
  }
  // Of a server that stops: while it serves, some are always waited for.
  void wait_for_none() {
    MutexLock lock(mutex_);
    none_.wait(mutex_, [this] { return count_ == 0; });
  }

 private:
  std::atomic<std::size_t> count_ = 0;
  Mutex mutex_;
  ConditionVariable none_;
};

}  // namespace bascule::grpc_front

#pragma once

#include <cstddef>

#include "base/clock.h"
#include "base/mutex.h"

namespace bascule::http {

// How many connections are open, on all loops together.
// Thread-safety: thread-safe.
class ConnectionCount {
 public:
  explicit ConnectionCount(std::size_t limit) : limit_(limit) {}

  // False where the limit is reached.
  bool try_add();
  void remove();
  // Waits until none is open; false where that took longer than `most`.
  bool wait_for_none(Duration most);

 private:
  const std::size_t limit_;
  Mutex mutex_;
  ConditionVariable none_;
  std::size_t open_ BASCULE_GUARDED_BY(mutex_) = 0;
};

}  // namespace bascule::http

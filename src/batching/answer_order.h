#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "base/mutex.h"

namespace bascule::batching {

// Lets answers leave in the order in which their requests were let in: one that comes early is kept until all
// before it have left. Thread-safety: thread-safe.
class AnswerOrder {
 public:
  using Answer = std::move_only_function<void()>;

  // `number`: the request's place, counted from 1 without gaps (Item::number). Gives `answer` now or later,
  // on a thread that comes here; never two at the same time, and never under a lock.
  void deliver(std::uint64_t number, Answer answer);

 private:
  Mutex mutex_;
  std::uint64_t next_ BASCULE_GUARDED_BY(mutex_) = 1;
  bool leaving_ BASCULE_GUARDED_BY(mutex_) = false;  // a thread gives answers now
  std::map<std::uint64_t, Answer> early_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule::batching

#include "batching/answer_order.h"

#include <utility>

namespace bascule::batching {

void AnswerOrder::deliver(std::uint64_t number, Answer answer) {
  {
    MutexLock lock(mutex_);
    if (leaving_ || number != next_) {
      early_.emplace(number, std::move(answer));
      return;
    }
    leaving_ = true;
  }
  while (true) {
    answer();
    answer = nullptr;
    MutexLock lock(mutex_);
    const auto next = early_.find(++next_);
    if (next == early_.end()) {
      leaving_ = false;
      return;
    }
    answer = std::move(next->second);
    early_.erase(next);
  }
}

}  // namespace bascule::batching

#include "runs/window.h"

#include <utility>

namespace bascule::runs {
namespace {

std::size_t frame_bytes_of(const Unit& unit) {
  std::size_t bytes = 0;
  for (const Item& item : unit.items) bytes += item.frame.bytes.size();
  return bytes;
}

}  // namespace

bool Window::put(Unit unit) {
  MutexLock lock(mutex_);
  room_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) { return closed_ || has_room(); });
  if (closed_) return false;
  frame_bytes_ += frame_bytes_of(unit);
  slots_.push_back({.unit = std::move(unit)});
  work_.notify_one();
  return true;
}

void Window::end(Result<void> why) {
  MutexLock lock(mutex_);
  ended_ = true;
  ending_ = std::move(why);
  work_.notify_all();
  ready_.notify_all();
}

std::optional<Window::Task> Window::take() {
  MutexLock lock(mutex_);
  work_.wait(mutex_,
             [this]() BASCULE_REQUIRES(mutex_) { return taken_ < slots_.size() || ended_ || closed_; });
  if (taken_ == slots_.size()) return std::nullopt;
  // A deque's elements stay where they are while others come and go at its ends.
  const std::size_t place = taken_++;
  return Task{.number = first_ + place, .unit = &slots_[place].unit};
}

void Window::done(std::uint64_t number, Answered answered) {
  MutexLock lock(mutex_);
  Slot& slot = slots_[number - first_];
  slot.answered = std::move(answered);
  slot.done = true;
  if (const std::size_t bytes = frame_bytes_of(slot.unit); bytes > 0) {
    frame_bytes_ -= bytes;
    for (Item& item : slot.unit.items) item.frame = {};
    room_.notify_one();
  }
  if (number == first_) ready_.notify_one();
}

Window::State Window::next(Finished& out, Duration most) {
  MutexLock lock(mutex_);
  ready_.wait_for(mutex_, most, [this]() BASCULE_REQUIRES(mutex_) { return first_is_done() || all_over(); });
  if (!first_is_done()) return all_over() ? State::kEnded : State::kWaiting;
  Slot& slot = slots_.front();
  out = {.unit = std::move(slot.unit), .answered = std::move(slot.answered)};
  slots_.pop_front();
  ++first_;
  --taken_;
  room_.notify_one();
  return State::kFinished;
}

Result<void> Window::ending() {
  MutexLock lock(mutex_);
  return ending_;
}

void Window::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  while (slots_.size() > taken_) slots_.pop_back();
  room_.notify_all();
  work_.notify_all();
  ready_.notify_all();
}

}  // namespace bascule::runs

#include "applications/frame_slot.h"

#include <utility>

#include "applications/pause.h"

namespace bascule::applications {

bool FrameSlot::put(Frame frame, bool latest, const Stop& stop) {
  MutexLock lock(mutex_);
  const auto empty = [this]() BASCULE_REQUIRES(mutex_) { return !frame_.has_value(); };
  while (!latest && !changed_.wait_for(mutex_, kStopLook, empty)) {
    if (stop()) return false;
  }
  if (frame_) ++dropped_;
  frame_ = std::move(frame);
  changed_.notify_all();
  return true;
}

void FrameSlot::finish() {
  MutexLock lock(mutex_);
  finished_ = true;
  changed_.notify_all();
}

std::optional<Frame> FrameSlot::take(const Stop& stop) {
  MutexLock lock(mutex_);
  const auto known = [this]() BASCULE_REQUIRES(mutex_) { return frame_.has_value() || finished_; };
  while (!stop()) {
    if (!changed_.wait_for(mutex_, kStopLook, known)) continue;
    changed_.notify_all();
    return std::exchange(frame_, std::nullopt);
  }
  return std::nullopt;
}

std::uint64_t FrameSlot::dropped() const {
  MutexLock lock(mutex_);
  return dropped_;
}

}  // namespace bascule::applications

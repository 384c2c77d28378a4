#pragma once

#include <cstdint>
#include <optional>

#include "applications/frame.h"
#include "applications/source.h"
#include "base/mutex.h"

namespace bascule::applications {

// Holds one frame between the thread that reads a source and the one that looks at its frames, so that what
// waits is never more than one frame old.
// Thread-safety: thread-safe.
class FrameSlot {
 public:
  // Leaves a frame. Where one is still there, `latest` puts the new one in its place, and it is counted as
  // dropped; else this waits until it was taken. False where `stop` held before.
  bool put(Frame frame, bool latest, const Stop& stop);
  // After the last frame.
  void finish();
  // Waits for a frame; nothing once finished and empty, or where `stop` held before.
  std::optional<Frame> take(const Stop& stop);
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::optional<Frame> frame_ BASCULE_GUARDED_BY(mutex_);
  std::uint64_t dropped_ BASCULE_GUARDED_BY(mutex_) = 0;
  bool finished_ BASCULE_GUARDED_BY(mutex_) = false;
};

}  // namespace bascule::applications

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "applications/source.h"
#include "base/mutex.h"

namespace bascule::applications {

struct PushOptions {
  std::string source;                    // the name that frames carry
  std::size_t max_frames = 8;            // that wait
  std::size_t max_bytes = 64ULL << 20U;  // of them
  bool latest = false;                   // a full box drops its oldest; else it refuses the newcomer
};

// Where pictures are pushed to, by HTTP or MQTT, until an application takes them. What waits here is in
// memory alone: who pushes has a promise for a frame only once something came of it.
// Thread-safety: thread-safe.
class PushBox {
 public:
  explicit PushBox(PushOptions options) : options_(std::move(options)) {}

  // Gives the frame's number. Errors: kFailedPrecondition where nobody takes them; kResourceExhausted with
  // kQueueFull where it is full; kPayloadTooLarge for a picture that never fits.
  Result<std::uint64_t> push(content::EncodedPicture picture, std::int64_t time_ms);
  // Opens the box; numbers go on behind `after`.
  void open(std::uint64_t after);
  // Opens it for a source, until that leaves.
  void enter(std::uint64_t after);
  // The last source closes the box and drops what waits. Who looks at the state of one that was stopped may
  // let go of it only after the next one has come.
  void leave();
  // Waits for a frame, at most for `most`.
  std::optional<Frame> take(Duration most);
  [[nodiscard]] bool latest() const { return options_.latest; }
  [[nodiscard]] SourceState state() const;

 private:
  const PushOptions options_;
  mutable Mutex mutex_;
  ConditionVariable filled_;
  std::deque<Frame> frames_ BASCULE_GUARDED_BY(mutex_);
  std::size_t bytes_ BASCULE_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_ BASCULE_GUARDED_BY(mutex_) = 0;
  bool open_ BASCULE_GUARDED_BY(mutex_) = false;
  int sources_ BASCULE_GUARDED_BY(mutex_) = 0;
  SourceState state_ BASCULE_GUARDED_BY(mutex_){.status = SourceStatus::kEnded, .error = {}};
};

// Takes what is pushed into a box.
// Thread-safety: as Source.
class PushSource final : public Source {
 public:
  PushSource(std::shared_ptr<PushBox> box, std::uint64_t after) : box_(std::move(box)) { box_->enter(after); }
  ~PushSource() override { box_->leave(); }
  PushSource(const PushSource&) = delete;
  PushSource& operator=(const PushSource&) = delete;

  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override { return box_->state(); }
  [[nodiscard]] bool live() const override { return box_->latest(); }

 private:
  const std::shared_ptr<PushBox> box_;
};

}  // namespace bascule::applications

#include "applications/sources/push_source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "applications/pause.h"
#include "base/text.h"

namespace bascule::applications {
namespace {

constexpr Duration kComeAgain = std::chrono::milliseconds(100);

}  // namespace

Result<std::uint64_t> PushBox::push(content::EncodedPicture picture, std::int64_t time_ms) {
  const std::size_t size = picture.bytes.size();
  MutexLock lock(mutex_);
  if (!open_) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("'{}' takes no frames now; start its application first.", options_.source)};
  }
  if (size > options_.max_bytes) {
    return Error{.code = Code::kPayloadTooLarge,
                 .message = fmt::format("The frame has {}; the limit is {}. Send it smaller, as JPEG.",
                                        text::human_bytes(size), text::human_bytes(options_.max_bytes)),
                 .reason = Reason::kBodyTooLarge,
                 .fields = {.got = std::to_string(size), .limit = std::to_string(options_.max_bytes)}};
  }
  while (!frames_.empty() && (frames_.size() >= options_.max_frames || bytes_ + size > options_.max_bytes)) {
    if (!options_.latest) {
      return Error{
          .code = Code::kResourceExhausted,
          .message = fmt::format("{} frames wait for '{}', as many as may. Send this one again later.",
                                 frames_.size(), options_.source),
          .reason = Reason::kQueueFull,
          .fields = {.retry_after = kComeAgain}};
    }
    bytes_ -= frames_.front().picture.bytes.size();
    frames_.pop_front();
    ++state_.dropped;
  }
  bytes_ += size;
  frames_.push_back(
      {.picture = std::move(picture), .source = options_.source, .number = ++last_, .time_ms = time_ms});
  filled_.notify_one();
  return last_;
}

void PushBox::open(std::uint64_t after) {
  MutexLock lock(mutex_);
  open_ = true;
  last_ = std::max(last_, after);
  state_.status = SourceStatus::kRunning;
}

void PushBox::enter(std::uint64_t after) {
  {
    MutexLock lock(mutex_);
    ++sources_;
  }
  open(after);
}

void PushBox::leave() {
  MutexLock lock(mutex_);
  if (--sources_ > 0) return;
  open_ = false;
  state_.dropped += frames_.size();
  frames_.clear();
  bytes_ = 0;
  state_.status = SourceStatus::kEnded;
}

std::optional<Frame> PushBox::take(Duration most) {
  MutexLock lock(mutex_);
  if (!filled_.wait_for(mutex_, most, [this]() BASCULE_REQUIRES(mutex_) { return !frames_.empty(); })) {
    return std::nullopt;
  }
  Frame frame = std::move(frames_.front());
  frames_.pop_front();
  bytes_ -= frame.picture.bytes.size();
  ++state_.frames;
  return frame;
}

SourceState PushBox::state() const {
  MutexLock lock(mutex_);
  return state_;
}

Result<std::optional<Frame>> PushSource::next(const Stop& stop) {
  while (!stop()) {
    if (auto frame = box_->take(kStopLook)) return frame;
  }
  return stopped();
}

}  // namespace bascule::applications

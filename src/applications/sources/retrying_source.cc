#include "applications/sources/retrying_source.h"

#include <utility>

#include <fmt/format.h>

#include "applications/pause.h"
#include "base/log.h"
#include "base/text.h"

namespace bascule::applications {

Result<std::optional<Frame>> RetryingSource::next(const Stop& stop) {
  while (!stop()) {
    std::shared_ptr<Source> source = source_.with([](const auto& s) { return s; });
    if (source == nullptr) {
      if (std::exchange(opened_, true)) state_.with([](SourceState& s) { ++s.reconnects; });
      Result<std::unique_ptr<Source>> opened = open_(after_);
      if (opened) {
        source = *std::move(opened);
        source_.with([&](auto& s) { s = source; });
      } else {
        failed(opened.error());
      }
    }
    if (source != nullptr) {
      Result<std::optional<Frame>> frame = source->next(stop);
      source.reset();
      if (frame && *frame) {
        after_ = (*frame)->number;
        back_off_.reset();
        state_.with([](SourceState& s) { s.status = SourceStatus::kRunning; });
        return frame;
      }
      if (frame && !options_.endless) return frame;
      if (!frame && frame.error().code == Code::kCancelled) return frame;
      close();
      failed(frame ? Error{.code = Code::kUnavailable, .message = "The source has ended."} : frame.error());
    }
    if (!pause(back_off_.next(), clock_, stop)) break;
  }
  return stopped();
}

// Adds what the source counted to what those before it did.
void RetryingSource::close() {
  const std::shared_ptr<Source> source = source_.with([](auto& s) { return std::exchange(s, nullptr); });
  const SourceState last = source->state();
  state_.with([&](SourceState& s) {
    s.frames += last.frames;
    s.dropped += last.dropped;
  });
}

void RetryingSource::failed(const Error& error) {
  const bool news = state_.with([&](SourceState& s) {
    const bool first = s.status != SourceStatus::kWaiting || s.error != error.message;
    s.status = SourceStatus::kWaiting;
    s.error = error.message;
    return first;
  });
  // Once for each way to fail: one that is down for days would fill the log.
  if (news) {
    log::warning("{}: {} It is tried again.", options_.source, text::escape_controls(error.message));
  }
}

SourceState RetryingSource::state() const {
  const std::shared_ptr<Source> source = source_.with([](const auto& s) { return s; });
  SourceState sum = state_.with([](const auto& s) { return s; });
  if (source == nullptr) return sum;
  const SourceState now = source->state();
  sum.frames += now.frames;
  sum.dropped += now.dropped;
  if (sum.status == SourceStatus::kRunning) {
    sum.status = now.status;
    if (!now.error.empty()) sum.error = now.error;
  }
  return sum;
}

}  // namespace bascule::applications

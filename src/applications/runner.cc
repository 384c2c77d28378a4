#include "applications/runner.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "applications/pause.h"
#include "base/log.h"
#include "base/text.h"
#include "image/annotate.h"

namespace bascule::applications {
namespace {

// A failure that passes: of the machine, not of the frame.
bool passes(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kResourceExhausted ||
         error.code == Code::kFailedPrecondition || error.code == Code::kDeadlineExceeded ||
         error.reason == Reason::kModelNotReady || error.reason == Reason::kUnknownModel;
}

}  // namespace

std::string_view to_string(RunnerStatus status) {
  switch (status) {
    case RunnerStatus::kStopped: return "stopped";
    case RunnerStatus::kStarting: return "starting";
    case RunnerStatus::kRunning: return "running";
    case RunnerStatus::kWaiting: return "waiting";
    case RunnerStatus::kStuck: return "stuck";
    case RunnerStatus::kStopping: return "stopping";
    case RunnerStatus::kEnded: return "ended";
    case RunnerStatus::kFailed: return "failed";
  }
  return "unknown";
}

Runner::Runner(RunnerOptions options, RunnerParts parts, Publish publish, const Clock& clock)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      publish_(std::move(publish)),
      clock_(clock),
      stopping_([this] { return stop_.load(); }) {}

Runner::~Runner() {
  stop();
  wait();
}

void Runner::wait() {
  MutexLock lock(starting_);
  threads_.reset();  // joins
}

Result<void> Runner::start() {
  MutexLock lock(starting_);
  if (running_ > 0) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = stop_
                                ? fmt::format("'{}' is still stopping; try again in a second.", options_.app)
                                : fmt::format("'{}' runs already.", options_.app)};
  }
  threads_.reset();
  stop_ = false;
  running_ = 2;
  counts_.with([](Counts& c) {
    c.state.status = RunnerStatus::kStarting;
    c.busy.reset();
    c.held = c.failed = c.ended = false;
  });
  slot_.with([](auto& slot) { slot = std::make_shared<FrameSlot>(); });
  threads_ = std::make_unique<ThreadPool>(
      ThreadPoolOptions{.name = "app-" + options_.app, .threads = 2, .max_queue = 2});
  const auto begin = [this, &threads = *threads_](void (Runner::*loop)()) {
    return threads.post([this, loop] {
      (this->*loop)();
      --running_;
    });
  };
  BASCULE_TRY(begin(&Runner::read));
  return begin(&Runner::look);
}

Result<std::unique_ptr<Source>> Runner::open_source() {
  BASCULE_ASSIGN(const std::uint64_t after, parts_.position());
  return parts_.open(after);
}

// The thread that reads.
void Runner::read() {
  const std::shared_ptr<FrameSlot> slot = slot_.with([](const auto& s) { return s; });
  Result<std::unique_ptr<Source>> opened = open_source();
  if (!opened) {
    note(opened.error());
    counts_.with([](Counts& c) { c.failed = true; });
    return slot->finish();
  }
  const std::shared_ptr<Source> source = *std::move(opened);
  source_.with([&](auto& s) { s = source; });
  const bool latest = options_.latest.value_or(source->live());
  TimePoint due = clock_.now();
  while (!stop_) {
    Result<std::optional<Frame>> frame = source->next(stopping_);
    if (!frame && frame.error().code == Code::kCancelled) break;
    if (!frame) note(frame.error());
    if (!frame || !*frame) {
      counts_.with([&](Counts& c) { (frame ? c.ended : c.failed) = true; });
      break;
    }
    if (!in_time(due, latest)) continue;
    if (!slot->put(**std::move(frame), latest, stopping_)) break;
  }
  last_source_.with([&](SourceState& s) { s = source->state(); });
  source_.with([](auto& s) { s.reset(); });
  slot->finish();
}

// Whether a frame may go on now. One of a source that waits does so here.
bool Runner::in_time(TimePoint& due, bool latest) {
  if (options_.max_fps <= 0) return true;
  const TimePoint now = clock_.now();
  if (now < due && latest) {
    counts_.with([](Counts& c) { ++c.state.dropped; });
    return false;
  }
  if (now < due && !pause(due - now, clock_, stopping_)) return true;  // put() looks as well
  due = std::max(due, now) +
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / options_.max_fps));
  return true;
}

// The thread that looks at frames.
void Runner::look() {
  const std::shared_ptr<FrameSlot> slot = slot_.with([](const auto& s) { return s; });
  while (std::optional<Frame> frame = slot->take(stopping_)) {
    counts_.with([&](Counts& c) { c.busy = clock_.now(); });
    handle(*std::move(frame));
    counts_.with([](Counts& c) { c.busy.reset(); });
  }
  counts_.with([&](Counts& c) { c.state.dropped += slot->dropped(); });
  slot_.with([](auto& s) { s.reset(); });
}

void Runner::handle(Frame frame) {
  const TimePoint came = clock_.now();
  Result<Inferred> inferred = show(frame);
  if (!inferred) return pass_over(frame, inferred.error());
  const TimePoint shown_at = clock_.now();
  Result<Decision> decision = parts_.judge(frame, inferred->found, inferred->names);
  if (!decision) return pass_over(frame, decision.error());
  const auto shown = std::make_shared<const Shown>(Shown{.picture = frame.picture,
                                                         .found = std::move(decision->shown),
                                                         .names = std::move(inferred->names),
                                                         .scene = std::move(decision->scene)});
  const TimePoint judged_at = clock_.now();
  if (options_.pictures) add_pictures(*shown, decision->events);
  if (!keep(frame, decision->events)) return;
  for (const Addressed& one : decision->events) publish_(one.event);
  shown_.with([&](auto& s) { s = shown; });
  counts_.with([&](Counts& c) {
    ++c.state.handled;
    c.state.events += decision->events.size();
    c.state.last_frame = frame.number;
    c.state.last_frame_ms = frame.time_ms;
    c.state.inference += shown_at - came;
    c.state.judging += judged_at - shown_at;
    c.state.last_latency = clock_.now() - came;
  });
}

// The boxes that a frame brings, or a model's. What passes is waited for where the source waits, too.
Result<Inferred> Runner::show(Frame& frame) {
  if (frame.labelled) {
    return Inferred{.found = *std::move(frame.labelled),
                    .names = parts_.names ? parts_.names() : content::ClassNames()};
  }
  const auto source = source_.with([](const auto& s) { return s; });
  const bool live = options_.latest.value_or(source != nullptr && source->live());
  BackOff back_off(options_.back_off);
  while (true) {
    Result<Inferred> inferred = parts_.infer(frame, stopping_);
    if (inferred || live || !passes(inferred.error())) return inferred;
    note(inferred.error());
    const Duration asked = inferred.error().fields.retry_after;
    if (!pause(back_off.next(asked > Duration{} ? std::optional(asked) : std::nullopt), clock_, stopping_)) {
      return stopped();
    }
  }
}

// Until it is done: false where the application was told to stop before. The frame is then not counted as
// handled, so that a source that can comes back to it.
bool Runner::keep(const Frame& frame, const std::vector<Addressed>& events) {
  BackOff back_off(options_.back_off);
  while (true) {
    const Result<void> kept = parts_.keep(frame, events);
    counts_.with([&](Counts& c) { c.held = !kept; });
    if (kept) return true;
    note(kept.error());
    if (!pause(back_off.next(), clock_, stopping_)) return false;
    counts_.with([](Counts& c) { ++c.state.retries; });
  }
}

// One for all of a frame. Without it the events go as they are.
void Runner::add_pictures(const Shown& shown, std::vector<Addressed>& events) const {
  if (events.empty()) return;
  auto jpeg = image::annotate(shown.picture, options_.max_pixels, shown.found, shown.names);
  if (!jpeg) {
    return log::warning("{}: an event goes without its picture: {}", options_.app,
                        text::escape_controls(jpeg.error().message));
  }
  const auto picture = std::make_shared<const std::vector<std::byte>>(*std::move(jpeg));
  for (Addressed& one : events) one.event.picture = picture;
}

// The frame is over, so that it is not shown again after a restart.
void Runner::pass_over(const Frame& frame, const Error& error) {
  if (error.code == Code::kCancelled) return;
  note(error);
  counts_.with([](Counts& c) { ++c.state.failed; });
  keep(frame, {});
}

void Runner::note(const Error& error) {
  const bool news = counts_.with([&](Counts& c) {
    const bool changed = c.state.error != error.message;
    c.state.error = error.message;
    return changed;
  });
  if (news) log::warning("{}: {}", options_.app, text::escape_controls(error.message));
}

RunnerState Runner::state() const {
  const TimePoint now = clock_.now();
  const auto source = source_.with([](const auto& s) { return s; });
  const auto slot = slot_.with([](const auto& s) { return s; });
  Counts counts = counts_.with([](const Counts& c) { return c; });
  RunnerState state = std::move(counts.state);
  state.app = options_.app;
  state.source =
      source != nullptr ? source->state() : last_source_.with([](const SourceState& s) { return s; });
  if (slot != nullptr) state.dropped += slot->dropped();
  state.dropped += state.source.dropped;
  if (state.error.empty()) state.error = state.source.error;
  if (running_ == 0 || stop_) {
    state.status = running_ > 0    ? RunnerStatus::kStopping
                   : counts.failed ? RunnerStatus::kFailed
                   : counts.ended  ? RunnerStatus::kEnded
                                   : RunnerStatus::kStopped;
  } else if (!counts.held && counts.busy && now - *counts.busy > options_.stuck_after) {
    state.status = RunnerStatus::kStuck;
  } else if (counts.held || state.source.status == SourceStatus::kWaiting) {
    state.status = RunnerStatus::kWaiting;
  } else {
    state.status = state.handled + state.failed > 0 ? RunnerStatus::kRunning : RunnerStatus::kStarting;
  }
  return state;
}

std::shared_ptr<const std::string> Runner::scene() const {
  const auto shown = shown_.with([](const auto& s) { return s; });
  return shown != nullptr ? shown->scene : nullptr;
}

Result<std::vector<std::byte>> Runner::last_picture() const {
  const auto shown = shown_.with([](const auto& s) { return s; });
  if (shown == nullptr) {
    return not_found(fmt::format("'{}' has not handled a frame yet.", options_.app));
  }
  return image::annotate(shown->picture, options_.max_pixels, shown->found, shown->names);
}

}  // namespace bascule::applications

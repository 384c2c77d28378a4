#include "applications/delivery.h"

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "base/log.h"

namespace bascule::applications {
namespace {

// So that sinks that fail together do not all come back together.
std::uint64_t seed_of(const DeliveryOptions& options, const std::string& sink) {
  std::uint64_t seed = options.back_off.seed;
  for (const char c : digest_of(options.app + "/" + sink)) seed = seed * 31 + static_cast<unsigned char>(c);
  return seed;
}

}  // namespace

// One sink and its thread.
// Thread-safety: `state` thread-safe, the rest external (its thread).
struct Delivery::Line {
  Line(NamedSink named, const BackOffOptions& options)
      : name(std::move(named.name)), sink(std::move(named.sink)), back_off(options) {}

  const std::string name;
  const std::unique_ptr<Sink> sink;
  BackOff back_off;
  std::int64_t done = 0;  // delivered, but the outbox could not be told: 0 for none
  Guarded<SinkState> state;
};

Delivery::Delivery(journal::Outbox& outbox, std::vector<NamedSink> sinks, DeliveryOptions options,
                   const Clock& clock)
    : outbox_(outbox), options_(std::move(options)), clock_(clock) {
  for (NamedSink& sink : sinks) {
    BackOffOptions back_off = options_.back_off;
    back_off.seed = seed_of(options_, sink.name);
    lines_.push_back(std::make_unique<Line>(std::move(sink), back_off));
    lines_.back()->state.with([&](SinkState& state) { state.name = lines_.back()->name; });
  }
  warn_of_others();
  if (lines_.empty()) return;
  threads_ = std::make_unique<ThreadPool>(
      ThreadPoolOptions{.name = "sink", .threads = lines_.size(), .max_queue = lines_.size()});
  for (const auto& line : lines_) (void)threads_->post([this, &line = *line] { run(line); });
}

// What waits for a sink that is no longer there stays until it is too old: the name may come back.
void Delivery::warn_of_others() {
  const auto kept = outbox_.states();
  if (!kept) return;
  for (const journal::ReceiverState& state : *kept) {
    const bool known =
        std::ranges::any_of(lines_, [&](const auto& line) { return line->name == state.receiver; });
    if (!known) {
      log::warning(
          "{}: {} events wait for '{}', which is none of its sinks; they are kept until they are too old.",
          options_.app, state.waiting + state.aside, state.receiver);
    }
  }
}

Delivery::~Delivery() { stop(); }

void Delivery::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  outbox_.wake();
  if (threads_ != nullptr) threads_->drain();
}

Result<journal::PutResult> Delivery::put(std::span<const Addressed> events,
                                         const std::optional<journal::Position>& position,
                                         std::span<const journal::Tally> tallies) {
  std::vector<journal::Parcel> parcels;
  parcels.reserve(events.size());
  for (const Addressed& each : events) {
    parcels.push_back({.id = each.event.id,
                       .body = packed(each.event),
                       .attachment = each.event.picture,
                       .receivers = each.sinks});
  }
  auto result = outbox_.put(parcels, position, tallies);
  if (result || result.error().code != Code::kPayloadTooLarge) return result;
  // It would never fit.
  log::error("{}: events go without their picture: {}", options_.app, result.error().message);
  for (journal::Parcel& parcel : parcels) parcel.attachment = nullptr;
  return outbox_.put(parcels, position, tallies);
}

void Delivery::run(Line& line) {
  TimePoint due = clock_.now() + options_.idle_every;
  while (!stopping_) {
    const std::uint64_t seen = outbox_.arrivals();
    const bool busy = deliver_next(line);
    if (stopping_) return;
    const TimePoint now = clock_.now();
    if (now >= due) {
      if (!busy) line.sink->idle();
      // A receiver that is away for long is busy all the time.
      if (const auto dropped = outbox_.drop_old(); !dropped) {
        log::warning("{}: {}", options_.app, dropped.error().message);
      }
      due = now + options_.idle_every;
    } else if (!busy) {
      outbox_.wait(seen, due - now);
    }
  }
}

// False where nothing waits.
bool Delivery::deliver_next(Line& line) {
  const auto waiting = outbox_.first(line.name);
  if (!waiting) {
    line.state.with([&](SinkState& state) { state.last_error = waiting.error().message; });
    log::error("{}, sink '{}': {}", options_.app, line.name, waiting.error().message);
    pause(line.back_off.next());
    return true;
  }
  if (!*waiting) return false;
  Result<void> result;
  // What went well needs no second delivery only because the disk was full.
  if ((*waiting)->number != line.done) {
    Result<Event> event = unpacked((*waiting)->body);
    if (event) {
      event->picture = (*waiting)->attachment;
      result = line.sink->deliver(*event, [this] { return stopping_.load(); });
    } else {
      result = Error{.code = Code::kInvalidArgument, .message = event.error().message};
    }
  }
  if (!settle(line, **waiting, result)) return true;
  line.back_off.reset();
  return true;
}

// What became of a try; false where the same has to be tried again, after the pause that was made.
bool Delivery::settle(Line& line, const journal::Waiting& waiting, const Result<void>& result) {
  if (!result && stopping_) return false;
  const bool refused = !result && result.error().code == Code::kInvalidArgument;
  if (result || refused) {
    const Result<void> told = result ? outbox_.delivered(line.name, waiting.number)
                                     : outbox_.refused(line.name, waiting.number, result.error().message);
    if (!told) {
      if (result) line.done = waiting.number;
      log::error("{}, sink '{}': {}", options_.app, line.name, told.error().message);
      pause(line.back_off.next());
      return false;
    }
    line.state.with([&](SinkState& state) {
      ++(refused ? state.refused : state.delivered);
      state.last_error = refused ? result.error().message : "";
    });
    if (refused) {
      log::error("{}, sink '{}': event {} is refused for good and moved aside: {}", options_.app, line.name,
                 waiting.id, result.error().message);
    } else if (line.back_off.failures() > 0) {
      log::info("{}, sink '{}': takes events again.", options_.app, line.name);
    }
    return true;
  }
  const Duration asked = result.error().fields.retry_after;
  const Duration wait = line.back_off.next(asked > Duration{} ? std::optional(asked) : std::nullopt);
  line.state.with([&](SinkState& state) {
    ++state.failed;
    state.last_error = result.error().message;
  });
  log::warning("{}, sink '{}': event {} waits, next try in {:.1f} s: {}", options_.app, line.name, waiting.id,
               to_seconds(wait), result.error().message);
  pause(wait);
  return false;
}

void Delivery::pause(Duration most) {
  MutexLock lock(mutex_);
  wake_.wait_for(mutex_, most, [this]() BASCULE_REQUIRES(mutex_) { return stopping_.load(); });
}

Result<std::size_t> Delivery::send_again() {
  std::size_t all = 0;
  for (const auto& line : lines_) {
    BASCULE_ASSIGN(const std::size_t some, outbox_.try_again(line->name));
    all += some;
  }
  return all;
}

Result<std::vector<SinkState>> Delivery::states() {
  BASCULE_ASSIGN(const std::vector<journal::ReceiverState> kept, outbox_.states());
  std::vector<SinkState> out;
  for (const auto& line : lines_) {
    SinkState state = line->state.with([](const SinkState& now) { return now; });
    state.dropped = outbox_.dropped(line->name);
    const auto waiting = std::ranges::find(kept, line->name, &journal::ReceiverState::receiver);
    if (waiting != kept.end()) {
      state.waiting = waiting->waiting;
      state.aside = waiting->aside;
      state.oldest = waiting->oldest;
    }
    out.push_back(std::move(state));
  }
  return out;
}

}  // namespace bascule::applications

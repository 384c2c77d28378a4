#include "batching/batcher.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace bascule::batching {
namespace {

// How far into the queue requests that fit together are looked for.
constexpr std::size_t kWindow = 64;
// A full queue is looked through for requests that no one wants any more, but not for every newcomer.
constexpr std::uint32_t kMostUrgent = 1;  // with levels; without, all are at 0
constexpr Duration kCleanEvery = std::chrono::milliseconds(5);
constexpr int kSmoothing =
    32;  // the measured rate follows the last this many runs, roughly; each dip lets one more in

void follow(Duration& average, Duration measured) {
  average += average == Duration{} ? measured : (measured - average) / kSmoothing;
}

bool cancelled(const Item& item) {
  return item.cancelled != nullptr && item.cancelled->load(std::memory_order_relaxed);
}

Error expired_error(const Item& item, TimePoint now) {
  return {
      .code = Code::kDeadlineExceeded,
      .message = fmt::format(
          "The request's time was over after it had waited {:.1f} ms, and it was not run. Allow more time, "
          "or send fewer requests at once.",
          to_ms(now - item.since))};
}

Error cancelled_error() {
  return {.code = Code::kCancelled, .message = "The caller went away before the request was run."};
}

}  // namespace

Batcher::Batcher(BatcherOptions options, Driver driver, Run run)
    : options_(std::move(options)), driver_(driver), run_(std::move(run)) {
  MutexLock lock(mutex_);
  per_request_ = options_.expected_run;
  each_run_ = options_.expected_run;
}

Batcher::~Batcher() {
  Batch left;
  {
    MutexLock lock(mutex_);  // no one else is left; the analysis asks for it
    left = all_of_it();
  }
  refuse_all(left, {.code = Code::kUnavailable, .message = "The server is shutting down."});
}

Error Batcher::queue_full(const QueueRefusal& why, std::size_t waiting) const {
  const double wait = to_ms(why.expected_wait);
  const double retry = to_ms(why.retry_after);
  std::string limit = why.full ? fmt::format("{} requests", options_.limits.max_queue_size)
                               : fmt::format("{:.0f} ms of work", to_ms(options_.limits.queue_budget));
  return {.code = Code::kResourceExhausted,
          .message = fmt::format("{} requests wait for model '{}', about {:.0f} ms of work; the limit is {}. "
                                 "Try again in {:.0f} ms.",
                                 waiting, options_.model, wait, limit, retry),
          .reason = Reason::kQueueFull,
          .fields = {.name = options_.model, .limit = std::move(limit), .retry_after = why.retry_after}};
}

std::size_t Batcher::counted_rows(const Item& item) const {
  return std::clamp<std::size_t>(item.rows, 1, std::max<std::size_t>(options_.policy.max_batch_size, 1));
}

// How many are served after all of `level`.
std::size_t Batcher::behind(std::uint32_t level) const {
  if (queue_.empty() || queue_.back()->level <= level) return 0;  // always, without levels
  const auto first =
      std::upper_bound(queue_.begin(), queue_.end(), level,
                       [](std::uint32_t wanted, const auto& item) { return wanted < item->level; });
  return static_cast<std::size_t>(queue_.end() - first);
}

// A run that was posted takes at least one of those that wait as soon as it begins: that one waits for no
// instance any more, and counts as running.
QueueLoad Batcher::load_for(std::uint32_t level) const {
  const std::size_t starting = std::min(posted_, queue_.size());
  return {.waiting = queue_.size() - starting,
          .behind = behind(level),
          .instances = options_.instances,
          .idle_instances = options_.instances - std::min(claims_, options_.instances),
          .running = claims_ - std::min(posted_, claims_) + starting,
          .per_request = per_request_};
}

std::optional<Error> Batcher::would_refuse() {
  const TimePoint now = driver_.clock.now();
  std::optional<QueueRefusal> why;
  std::size_t waiting = 0;
  Dropped dropped;
  {
    MutexLock lock(mutex_);
    why = admit(load_for(kMostUrgent), options_.limits);
    if (why && now >= next_clean_) {
      dropped = clean(now);
      why = admit(load_for(kMostUrgent), options_.limits);
    }
    waiting = queue_.size();
  }
  refuse(dropped);
  if (!why) return std::nullopt;
  return queue_full(*why, waiting);
}

// Before anyone is refused: drops, now and then, what no one waits for.
Batcher::Dropped Batcher::clean(TimePoint now) {
  next_clean_ = now + kCleanEvery;
  return sweep(now, queue_.size());
}

// The item back where it may not wait, and why.
std::unique_ptr<Item> Batcher::let_in(std::unique_ptr<Item> item, TimePoint now,
                                      std::optional<QueueRefusal>& why) {
  why = admit(load_for(item->level), options_.limits);
  if (why && options_.sabotage != Sabotage::kExceedQueue) return item;
  why.reset();
  item->since = now;
  item->number = ++let_in_;
  if (item->deadline) first_deadline_ = std::min(first_deadline_, *item->deadline);
  rows_ += counted_rows(*item);
  const std::size_t after = options_.sabotage == Sabotage::kIgnorePriority ? 0 : behind(item->level);
  queue_.insert(queue_.end() - static_cast<std::ptrdiff_t>(after), std::move(item));
  return nullptr;
}

void Batcher::submit(std::unique_ptr<Item> item) {
  const TimePoint now = driver_.clock.now();
  std::optional<QueueRefusal> why;
  std::size_t waiting = 0;
  Dropped dropped;
  {
    MutexLock lock(mutex_);
    item = let_in(std::move(item), now, why);
    if (why && now >= next_clean_) {
      dropped = clean(now);
      item = let_in(std::move(item), now, why);
    }
    waiting = queue_.size();
  }
  refuse(dropped);
  if (item != nullptr) return item->refuse(queue_full(*why, waiting));
  if (options_.sabotage == Sabotage::kLoseWakeUpOnArrival && waiting == 4) return;
  advance();
}

// How many runs the queue would make now, at least.
std::size_t Batcher::batches_waiting() const {
  const std::size_t most = std::max<std::size_t>(options_.policy.max_batch_size, 1);
  return (rows_ + most - 1) / most;
}

Action Batcher::next(TimePoint now) const {
  std::array<Waiting, kWindow> window;
  const std::size_t count = std::min(queue_.size(), options_.policy.max_batch_size > 1 ? kWindow : 1);
  for (std::size_t i = 0; i < count; ++i) {
    window[i] = {.key = queue_[i]->key, .rows = queue_[i]->rows, .since = queue_[i]->since};
    if (options_.sabotage == Sabotage::kJoinAnything) window[i].key = "same";
  }
  BatchPolicy policy = options_.policy;
  if (options_.sabotage == Sabotage::kExceedBatch) policy.max_batch_size += 1;
  if (options_.sabotage == Sabotage::kWaitWhileIdle) policy.max_queue_delay += std::chrono::milliseconds(2);
  return decide({window.data(), count}, policy, now);
}

std::optional<TimePoint> Batcher::to_arm(const Action& action) {
  TimePoint when = options_.sabotage == Sabotage::kNeverExpire ? TimePoint::max() : first_deadline_;
  if (action.kind == Action::Kind::kWait) when = std::min(when, action.until);
  if (when >= armed_) return std::nullopt;
  armed_ = when;
  return when;
}

// Sets as many instances to work as there is work for.
void Batcher::advance() {
  while (true) {
    std::optional<TimePoint> wake;
    bool claimed = false;
    {
      MutexLock lock(mutex_);
      Action action;
      const std::size_t instances =
          options_.instances + (options_.sabotage == Sabotage::kExceedInstances ? 1 : 0);
      if (claims_ < instances && posted_ < batches_waiting()) action = next(driver_.clock.now());
      claimed = action.kind == Action::Kind::kRun;
      if (claimed) {
        ++claims_;
        ++posted_;
      }
      wake = to_arm(action);
    }
    if (wake) wake_at(*wake);
    if (!claimed) return;
    const auto posted = post_pull();
    if (posted) continue;
    Batch stranded;
    {
      MutexLock lock(mutex_);
      --posted_;
      --claims_;
      if (claims_ > 0) return;  // those at work come back to the queue
      if (options_.sabotage == Sabotage::kDropOnFullExecutor) return;
      stranded = all_of_it();
    }
    return refuse_all(stranded, posted.error());
  }
}

// Whether a run is known to be so short that it need not wait for a token.
bool Batcher::brief() const {
  if (options_.cost > 1) return false;
  MutexLock lock(mutex_);
  return each_run_ > Duration{} && each_run_ < options_.brief_run;
}

Result<void> Batcher::post_pull() {
  Executor::Work work = [self = shared_from_this(), posted = driver_.clock.now()] { self->pull(posted); };
  if (brief()) return driver_.executor.post_brief(std::move(work));
  return driver_.executor.post(std::move(work),
                               options_.sabotage == Sabotage::kIgnoreCost ? 1 : options_.cost);
}

// One turn of an instance. What is left goes to the end of the executor's queue, so that other models get
// their turn; where the executor takes no more, it is run here.
void Batcher::pull(TimePoint posted) {
  while (run_one(posted)) {
    if (post_pull()) return;
    posted = driver_.clock.now();
  }
}

// Takes what has gathered and runs it. True: the instance keeps its claim, with more to do.
bool Batcher::run_one(TimePoint posted) {
  Batch batch;
  Dropped dropped;
  std::optional<TimePoint> wake;
  {
    MutexLock lock(mutex_);
    --posted_;
    const TimePoint now = driver_.clock.now();
    dropped = sweep(now, kWindow);
    const Action action = next(now);
    if (action.kind == Action::Kind::kRun) {
      batch = take(action.take);
    } else {
      --claims_;
    }
    wake = to_arm(action);
  }
  refuse(dropped);
  if (wake) wake_at(*wake);
  if (batch.empty()) return false;
  if (options_.sabotage != Sabotage::kForgetLeftOver)
    advance();  // for what is left, if another instance is idle

  const auto count = static_cast<Duration::rep>(batch.size());
  const TimePoint began = driver_.clock.now();
  const bool as_usual = run_(std::move(batch));

  wake.reset();
  bool more = false;
  {
    MutexLock lock(mutex_);
    const TimePoint now = driver_.clock.now();
    if (as_usual) {
      follow(per_request_, (now - posted) / count);
      follow(each_run_, now - began);
    }
    // What another instance is about to take needs no second one.
    const Action action = posted_ < batches_waiting() ? next(now) : Action{};
    more = action.kind == Action::Kind::kRun && options_.sabotage != Sabotage::kLoseWakeUpAfterRun;
    if (more) {
      ++posted_;
    } else {
      --claims_;
    }
    wake = to_arm(action);
  }
  if (wake) wake_at(*wake);
  return more;
}

Batch Batcher::take(const std::vector<std::size_t>& places) {
  Batch batch;
  batch.reserve(places.size());
  for (const std::size_t place : places) {
    rows_ -= counted_rows(*queue_[place]);
    batch.push_back(std::move(queue_[place]));
  }
  if (places.size() == 1) {
    queue_.pop_front();  // the first is always among them
  } else {
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(places.back() + 1);
    queue_.erase(std::remove(queue_.begin(), end, nullptr), end);
  }
  return batch;
}

Batch Batcher::all_of_it() {
  Batch all(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
  queue_.clear();
  rows_ = 0;
  return all;
}

// What must not run any more. Looks at all of the queue once a deadline is over, else at the first `most`:
// the part that may be taken next.
Batcher::Dropped Batcher::sweep(TimePoint now, std::size_t most) {
  Dropped dropped;
  const bool due = first_deadline_ <= now;
  const std::size_t count = due ? queue_.size() : std::min(queue_.size(), most);
  bool any = false;
  for (std::size_t i = 0; i < count; ++i) {
    auto& item = queue_[i];
    const bool late =
        due && item->deadline && *item->deadline <= now && options_.sabotage != Sabotage::kRunExpired;
    const bool gone = cancelled(*item) && options_.sabotage != Sabotage::kRunCancelled;
    if (!late && !gone) continue;
    rows_ -= counted_rows(*item);
    (late ? dropped.expired : dropped.cancelled).push_back(std::move(item));
    any = true;
  }
  if (any) std::erase(queue_, nullptr);
  if (due) {
    first_deadline_ = TimePoint::max();
    for (const auto& item : queue_) {
      if (item->deadline && *item->deadline > now) {
        first_deadline_ = std::min(first_deadline_, *item->deadline);
      }
    }
  }
  return dropped;
}

void Batcher::wake_at(TimePoint when) {
  driver_.timer.call_at(when, [weak = weak_from_this(), when] {
    if (const auto self = weak.lock()) self->on_timer(when);
  });
}

void Batcher::on_timer(TimePoint armed) {
  Dropped dropped;
  {
    MutexLock lock(mutex_);
    if (armed != armed_) return;  // an earlier call has taken its place since
    armed_ = TimePoint::max();
    dropped = sweep(driver_.clock.now(), kWindow);
  }
  refuse(dropped);
  advance();
}

void Batcher::refuse_all(const Batch& batch, const Error& why) {
  for (const auto& item : batch) item->refuse(why);
}

void Batcher::refuse(const Dropped& dropped) const {
  const TimePoint now = driver_.clock.now();
  for (const auto& item : dropped.expired) item->refuse(expired_error(*item, now));
  for (const auto& item : dropped.cancelled) item->refuse(cancelled_error());
}

bool Batcher::idle() const {
  MutexLock lock(mutex_);
  return claims_ == 0 && queue_.empty();
}

bool Batcher::try_begin() {
  MutexLock lock(mutex_);
  if (!queue_.empty() || claims_ >= options_.instances) return false;
  ++claims_;
  return true;
}

void Batcher::end() {
  {
    MutexLock lock(mutex_);
    --claims_;
    if (queue_.empty()) return;
  }
  if (options_.sabotage != Sabotage::kLoseWakeUpAfterRun) advance();
}

std::size_t Batcher::waiting() const {
  MutexLock lock(mutex_);
  return queue_.size();
}

}  // namespace bascule::batching

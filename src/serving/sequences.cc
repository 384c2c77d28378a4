#include "serving/sequences.h"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <variant>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::serving {
namespace {

constexpr Duration kComeBack = std::chrono::seconds(1);  // how long a sequence takes is not known
// What waits is looked through for requests that no one wants any more, but not for every newcomer.
constexpr Duration kCleanEvery = std::chrono::milliseconds(5);

bool is_named(const content::SequenceId& id) {
  if (const auto* const number = std::get_if<std::uint64_t>(&id)) return *number != 0;
  return !std::get<std::string>(id).empty();
}

std::string text_of(const content::SequenceId& id) {
  if (const auto* const number = std::get_if<std::uint64_t>(&id)) return std::to_string(*number);
  return text::shortened(text::escape_controls(std::get<std::string>(id)));
}

Error expired(Duration waited) {
  return {
      .code = Code::kDeadlineExceeded,
      .message = fmt::format("The request's time was over after it had waited {:.1f} ms for its sequence, "
                             "and it was not run. Allow more time, or end sequences that are over.",
                             to_ms(waited))};
}

Error cancelled() {
  return {.code = Code::kCancelled, .message = "The caller went away before the request was run."};
}

}  // namespace

Sequences::Sequences(std::string model, Timer& timer, const Clock& clock, Forward forward,
                     SequenceSabotage sabotage)
    : model_(std::move(model)),
      timer_(timer),
      clock_(clock),
      forward_(std::move(forward)),
      sabotage_(sabotage) {}

Sequences::~Sequences() {
  Refusals left;
  {
    MutexLock lock(mutex_);  // no one else is left; the analysis asks for it
    for (auto& [id, sequence] : sequences_) {
      for (Step& step : sequence.waiting) {
        left.emplace_back(std::move(step.item),
                          Error{.code = Code::kUnavailable, .message = "The server is shutting down."});
      }
    }
    sequences_.clear();
  }
  refuse(std::move(left));
}

void Sequences::refuse(Refusals refusals) {
  for (auto& [item, why] : refusals) item->refuse(std::move(why));
}

bool Sequences::late(const Step& step, TimePoint now) const {
  return step.item->deadline && *step.item->deadline <= now && sabotage_ != SequenceSabotage::kNeverExpire;
}

bool Sequences::gone(const Step& step) {
  return step.item->cancelled != nullptr && step.item->cancelled->load(std::memory_order_relaxed);
}

Error Sequences::not_started(const Id& id, std::string_view because) const {
  return invalid_argument(
      fmt::format("Inference request for sequence {} to model '{}' must specify the START flag on the first "
                  "request of the sequence; {}.",
                  text_of(id), model_, because));
}

Error Sequences::full() const {
  std::string limit = fmt::format("{} requests", limits_.max_waiting);
  return {
      .code = Code::kResourceExhausted,
      .message = fmt::format("{} requests wait in the sequences of model '{}'; the limit is {}. Try again in "
                             "{} s.",
                             waiting_, model_, limit, to_seconds(kComeBack)),
      .reason = Reason::kQueueFull,
      .fields = {.name = model_, .limit = std::move(limit), .retry_after = kComeBack}};
}

std::optional<Error> Sequences::objection(const Id& id, const content::SequenceStep& step) const {
  const auto found = sequences_.find(id);
  const bool open = found != sequences_.end() && found->second.open;
  if (!step.start && !open && sabotage_ != SequenceSabotage::kAcceptUnstarted) {
    return not_started(id,
                       fmt::format("none of that name is under way, or it was idle for {} s and was given up",
                                   to_seconds(limits_.max_idle)));
  }
  if (limits_.max_waiting == 0 || waiting_ < limits_.max_waiting || !would_wait(id)) return std::nullopt;
  return full();
}

bool Sequences::would_wait(const Id& id) const {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return bound_ >= limits_.slots || !backlog_.empty();
  const Sequence& sequence = found->second;
  return sequence.busy || !sequence.bound || !sequence.waiting.empty();
}

void Sequences::submit(std::unique_ptr<batching::Item> item, const content::SequenceStep& step,
                       const SequenceLimits& limits) {
  if (!is_named(step.id)) {
    return item->refuse(invalid_argument(fmt::format(
        "Inference request to model '{}' must specify a non-zero or non-empty sequence id (sequence_id): the "
        "model is one of sequences.",
        model_)));
  }
  const TimePoint now = clock_.now();
  Refusals refusals;
  {
    MutexLock lock(mutex_);
    limits_ = limits;
    bind();
    std::optional<Error> why = objection(step.id, step);
    if (why && why->reason == Reason::kQueueFull && now >= next_clean_) {
      next_clean_ = now + kCleanEvery;
      sweep(now, refusals);
      why = objection(step.id, step);
    }
    if (why) {
      refusals.emplace_back(std::move(item), *std::move(why));
    } else {
      let_in({.item = std::move(item), .start = step.start, .end = step.end, .since = now}, step.id);
    }
  }
  refuse(std::move(refusals));
  drive();
}

void Sequences::let_in(Step step, const Id& id) {
  if (step.item->deadline && would_wait(id)) first_due_ = std::min(first_due_, *step.item->deadline);
  const auto [place, is_new] = sequences_.try_emplace(id);
  Sequence& sequence = place->second;
  sequence.open = !step.end;
  sequence.waiting.push_back(std::move(step));
  ++waiting_;
  if (is_new) {
    backlog_.push_back(id);
    bind();
  } else if (sequence.bound && !sequence.busy) {
    ready_.push_back(id);
  }
}

// Sends on what is ready, one at a time: what is refused at once does not come back here, however long the
// row of those behind it.
void Sequences::drive() {
  {
    MutexLock lock(mutex_);
    if (driving_) return;
    driving_ = true;
  }
  while (true) {
    Refusals refusals;
    std::optional<Next> sent = next(refusals);
    refuse(std::move(refusals));
    if (!sent) break;
    auto& [id, step, memory] = *sent;
    const Flags flags{.start = step.start, .end = step.end};
    forward_(std::move(step.item), std::move(memory), [weak = weak_from_this(), of = id, flags](bool ran) {
      if (const auto self = weak.lock()) self->over(of, flags, ran);
    });
  }
  arm();
}

// A sequence that begins has kept nothing.
void Sequences::remember(Sequence& sequence, const Step& step) {
  if (!limits_.keeps_state) return sequence.memory.reset();
  const bool stays = sabotage_ == SequenceSabotage::kKeepState && sequence.memory != nullptr;
  if ((!step.start || stays) && sequence.memory != nullptr) return;
  sequence.memory = std::make_shared<SequenceMemory>(kept_, step.start);
  if (sabotage_ == SequenceSabotage::kNeverDropState) never_dropped_.push_back(sequence.memory);
}

std::optional<Sequences::Next> Sequences::next(Refusals& refusals) {
  const TimePoint now = clock_.now();
  MutexLock lock(mutex_);
  while (!ready_.empty()) {
    const Id id = std::move(ready_.front());
    ready_.pop_front();
    const auto found = sequences_.find(id);
    if (found == sequences_.end()) continue;
    Sequence& sequence = found->second;
    const bool free = !sequence.busy || sabotage_ == SequenceSabotage::kOverlap;
    if (!sequence.bound || !free || sequence.waiting.empty()) continue;
    if (late(sequence.waiting.front(), now) || gone(sequence.waiting.front())) {
      prune(id, sequence, now, false, refusals);
      settle(id, sequence, now);
      continue;
    }
    if (sabotage_ == SequenceSabotage::kReorder) std::swap(sequence.waiting.front(), sequence.waiting.back());
    Step step = std::move(sequence.waiting.front());
    sequence.waiting.pop_front();
    --waiting_;
    sequence.busy = true;
    sequence.began = !step.end;
    remember(sequence, step);
    if (sabotage_ == SequenceSabotage::kOverlap) ready_.push_back(id);
    std::shared_ptr<SequenceMemory> memory = sequence.memory;
    if (sabotage_ == SequenceSabotage::kMixStates) {
      for (const auto& [other, with] : sequences_)
        memory = with.memory != nullptr && !with.busy ? with.memory : memory;
    }
    return Next{.id = id, .step = std::move(step), .memory = std::move(memory)};
  }
  driving_ = false;
  return std::nullopt;
}

void Sequences::over(const Id& id, Flags flags, bool ran) {
  const TimePoint now = clock_.now();
  Refusals refusals;
  {
    MutexLock lock(mutex_);
    const auto found = sequences_.find(id);
    if (found == sequences_.end()) return;
    Sequence& sequence = found->second;
    sequence.busy = false;
    if (flags.end && ran && sabotage_ != SequenceSabotage::kKeepState) sequence.memory.reset();
    if (!ran && sabotage_ != SequenceSabotage::kGoOnUnstarted) {
      sequence.began = !flags.start;
      prune(id, sequence, now, flags.start, refusals);
    }
    settle(id, sequence, now);
  }
  refuse(std::move(refusals));
  drive();
}

// What a sequence that is not busy does next.
void Sequences::settle(const Id& id, Sequence& sequence, TimePoint now) {
  if (sequence.waiting.empty()) {
    if (sequence.bound && sequence.began && sequence.open) {
      sequence.idle_since = now;
      first_due_ = std::min(first_due_, now + limits_.max_idle);
      return;
    }
    forget(id, sequence);
    return bind();
  }
  if (!sequence.bound) return;
  if (sequence.began || backlog_.empty()) return ready_.push_back(id);
  // Its last request was an END, and one that begins anew waits: behind those that wait for a slot.
  sequence.bound = false;
  --bound_;
  backlog_.push_back(id);
  bind();
}

// The reference `id` may be that of the entry itself.
void Sequences::forget(const Id& id, const Sequence& sequence) {
  if (sequence.bound) {
    --bound_;
  } else {
    std::erase(backlog_, id);
  }
  sequences_.erase(sequences_.find(id));
}

// Gives slots that are free to those that wait for one.
void Sequences::bind() {
  if (sabotage_ == SequenceSabotage::kForgetToBind && waiting_ > 3) return;
  const std::size_t slots = limits_.slots + (sabotage_ == SequenceSabotage::kExceedSlots ? 1 : 0);
  while (bound_ < slots && !backlog_.empty()) {
    sequences_.at(backlog_.front()).bound = true;
    ++bound_;
    ready_.push_back(std::move(backlog_.front()));
    backlog_.pop_front();
  }
}

// Drops what must not run any more; with a START, all up to the next one. `lost`: what waits first has no
// START before it. True: something was dropped.
bool Sequences::prune(const Id& id, Sequence& sequence, TimePoint now, bool lost, Refusals& refusals) {
  const std::size_t before = sequence.waiting.size();
  bool open = sequence.began;
  for (Step& step : sequence.waiting) {
    if (step.start) lost = false;
    const bool is_late = late(step, now);
    if (!lost && !is_late && !gone(step)) {
      open = !step.end;
      continue;
    }
    Error why = is_late      ? expired(now - step.since)
                : gone(step) ? cancelled()
                             : not_started(id, "the one that had it was not run");
    refusals.emplace_back(std::move(step.item), std::move(why));
    if (!step.start || sabotage_ == SequenceSabotage::kGoOnUnstarted) continue;
    lost = true;
    open = false;
  }
  std::erase_if(sequence.waiting, [](const Step& step) { return step.item == nullptr; });
  sequence.open = open;
  waiting_ -= before - sequence.waiting.size();
  return sequence.waiting.size() < before;
}

bool Sequences::given_up(const Sequence& sequence, TimePoint now) const {
  if (sabotage_ == SequenceSabotage::kNeverIdle || !sequence.bound || !sequence.waiting.empty()) return false;
  if (sequence.busy && sabotage_ != SequenceSabotage::kIdleWhileBusy) return false;
  return sequence.idle_since + limits_.max_idle <= now;
}

void Sequences::sweep(TimePoint now, Refusals& refusals) {
  for (auto next = sequences_.begin(); next != sequences_.end();) {
    auto& [id, sequence] = *next++;
    if (given_up(sequence, now)) {
      forget(id, sequence);
    } else if (prune(id, sequence, now, false, refusals) && !sequence.busy) {
      settle(id, sequence, now);
    }
  }
  bind();
}

TimePoint Sequences::next_due() const {
  TimePoint due = TimePoint::max();
  for (const auto& [id, sequence] : sequences_) {
    for (const Step& step : sequence.waiting) {
      if (step.item->deadline && sabotage_ != SequenceSabotage::kNeverExpire) {
        due = std::min(due, *step.item->deadline);
      }
    }
    const bool idle = sequence.bound && !sequence.busy && sequence.waiting.empty();
    if (idle && sabotage_ != SequenceSabotage::kNeverIdle) {
      due = std::min(due, sequence.idle_since + limits_.max_idle);
    }
  }
  return due;
}

void Sequences::arm() {
  TimePoint when;
  {
    MutexLock lock(mutex_);
    when = first_due_;
    if (when >= armed_) return;
    armed_ = when;
  }
  timer_.call_at(when, [weak = weak_from_this(), when] {
    if (const auto self = weak.lock()) self->on_timer(when);
  });
}

void Sequences::on_timer(TimePoint armed) {
  Refusals refusals;
  {
    MutexLock lock(mutex_);
    if (armed != armed_) return;  // an earlier call has taken its place since
    armed_ = TimePoint::max();
    sweep(clock_.now(), refusals);
    first_due_ = next_due();
  }
  refuse(std::move(refusals));
  drive();
}

std::size_t Sequences::waiting() const {
  MutexLock lock(mutex_);
  return waiting_;
}

std::size_t Sequences::known() const {
  MutexLock lock(mutex_);
  return sequences_.size();
}

}  // namespace bascule::serving

#include "applications/event_hub.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace bascule::applications {
namespace {

std::size_t size_of(const Event& event) {
  return sizeof event + event.json.size() + (event.picture == nullptr ? 0 : event.picture->size());
}

}  // namespace

EventHub::Subscription::~Subscription() { hub_.leave(number_); }

EventHub::Taken EventHub::Subscription::take(std::size_t most) { return hub_.take(next_, most); }

void EventHub::publish(Event event) {
  MutexLock lock(mutex_);
  bytes_ += size_of(event);
  ring_.push_back(std::make_shared<const Event>(std::move(event)));
  // The newest stays, whatever its size.
  while (ring_.size() > std::max<std::size_t>(options_.max_events, 1) ||
         (bytes_ > options_.max_bytes && ring_.size() > 1)) {
    bytes_ -= size_of(*ring_.front());
    ring_.pop_front();
    ++begin_;
  }
  // Held while they are told, so that none is told after it has left.
  for (const auto& [number, notify] : subscribers_) notify();
}

Result<std::unique_ptr<EventHub::Subscription>> EventHub::subscribe(std::string_view last_id, Notify notify) {
  MutexLock lock(mutex_);
  if (subscribers_.size() >= options_.max_subscribers) {
    return Error{
        .code = Code::kResourceExhausted,
        .message = fmt::format("{} clients read this event stream, the limit. Close one, or try again "
                               "later.",
                               options_.max_subscribers)};
  }
  std::uint64_t next = begin_ + ring_.size();
  if (!last_id.empty()) {
    const auto last =
        std::ranges::find(ring_, last_id, [](const auto& event) -> const std::string& { return event->id; });
    next = last == ring_.end() ? begin_ : begin_ + static_cast<std::uint64_t>(last - ring_.begin()) + 1;
  }
  const std::uint64_t number = subscribed_++;
  subscribers_.emplace(number, std::move(notify));
  return std::make_unique<Subscription>(*this, next, number);
}

std::vector<std::shared_ptr<const Event>> EventHub::latest(std::size_t most) const {
  MutexLock lock(mutex_);
  const std::size_t count = std::min(most, ring_.size());
  return {ring_.end() - static_cast<std::ptrdiff_t>(count), ring_.end()};
}

EventHub::Taken EventHub::take(std::uint64_t& next, std::size_t most) {
  MutexLock lock(mutex_);
  Taken taken;
  if (next < begin_) taken.lost = begin_ - std::exchange(next, begin_);
  while (taken.events.size() < most && next - begin_ < ring_.size()) {
    taken.events.push_back(ring_[next - begin_]);
    ++next;
  }
  return taken;
}

void EventHub::leave(std::uint64_t number) {
  MutexLock lock(mutex_);
  subscribers_.erase(number);
}

}  // namespace bascule::applications

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "applications/event.h"
#include "base/mutex.h"

namespace bascule::applications {

struct EventHubOptions {
  std::size_t max_events = 1000;        // of the last ones that are kept
  std::size_t max_bytes = 8ULL << 20U;  // of their JSON and pictures
  std::size_t max_subscribers = 64;
};

// The last events in memory, for those who look on: event streams (SSE) and lists. Nothing waits for a
// subscriber: one that is slower than the ring is long loses the oldest, and is told how many.
// Thread-safety: thread-safe.
class EventHub {
 public:
  // Told that there may be something to take; on the thread that publishes, so it must not wait, nor call the
  // hub.
  using Notify = std::function<void()>;

  // What take() gives.
  // Thread-safety: a value.
  struct Taken {
    std::uint64_t lost = 0;  // that were gone before they were taken
    std::vector<std::shared_ptr<const Event>> events;
  };

  // One who looks on. Outlived by its hub.
  // Thread-safety: external (one thread at a time).
  class Subscription {
   public:
    // For EventHub::subscribe.
    Subscription(EventHub& hub, std::uint64_t next, std::uint64_t number)
        : hub_(hub), next_(next), number_(number) {}
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    // What came since the last call, at most `most` of it. Does not wait.
    Taken take(std::size_t most = 100);

   private:
    EventHub& hub_;
    std::uint64_t next_;  // the event to take
    std::uint64_t number_;
  };

  explicit EventHub(const EventHubOptions& options) : options_(options) {}

  void publish(Event event);
  // From behind the event `last_id` on (an SSE client's Last-Event-ID); from the oldest that is kept where
  // that one is not known; from now on where it is empty. Errors: kResourceExhausted beyond
  // `max_subscribers`. The subscription ends before its hub.
  Result<std::unique_ptr<Subscription>> subscribe(std::string_view last_id, Notify notify);
  // The last events, the newest last.
  [[nodiscard]] std::vector<std::shared_ptr<const Event>> latest(std::size_t most) const;

 private:
  Taken take(std::uint64_t& next, std::size_t most);
  void leave(std::uint64_t number);

  const EventHubOptions options_;
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<const Event>> ring_ BASCULE_GUARDED_BY(mutex_);
  std::size_t bytes_ BASCULE_GUARDED_BY(mutex_) = 0;
  std::uint64_t begin_ BASCULE_GUARDED_BY(mutex_) = 0;  // the number of the ring's first
  std::map<std::uint64_t, Notify> subscribers_ BASCULE_GUARDED_BY(mutex_);
  std::uint64_t subscribed_ BASCULE_GUARDED_BY(mutex_) = 0;
};

}  // namespace bascule::applications

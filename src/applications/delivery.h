#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "applications/event.h"
#include "applications/sink.h"
#include "base/back_off.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "journal/outbox.h"

namespace bascule::applications {

// An event and the names of the sinks that it goes to.
// Thread-safety: a value.
struct Addressed {
  Event event;
  std::vector<std::string> sinks;
};

// Thread-safety: external (one owner).
struct NamedSink {
  std::string name;
  std::unique_ptr<Sink> sink;
};

struct DeliveryOptions {
  std::string app;  // for log lines and the threads' names
  BackOffOptions back_off;
  Duration idle_every = std::chrono::seconds(10);  // Sink::idle
};

// How one sink does.
// Thread-safety: a value.
struct SinkState {
  std::string name;
  std::uint64_t delivered = 0;  // these four since the start
  std::uint64_t failed = 0;     // tries that failed
  std::uint64_t refused = 0;    // moved aside
  std::uint64_t dropped = 0;    // too old, or no room for them
  std::uint64_t waiting = 0;
  std::uint64_t aside = 0;  // kept, of those that were refused
  Duration oldest{};        // how long the first that waits has done so
  std::string last_error;   // of the last try; empty: it went well
};

// Brings the events of one application from the outbox to its sinks: a thread for each sink takes them in
// their order, delivers, and tries again after a while where that failed. An event that a sink refuses for
// good is moved aside; every other failure holds up those behind it.
// Thread-safety: thread-safe.
class Delivery {
 public:
  // `outbox` and `clock` outlive it.
  Delivery(journal::Outbox& outbox, std::vector<NamedSink> sinks, DeliveryOptions options,
           const Clock& clock);
  ~Delivery();
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  // Once this returns, the events, the position and the counts are on the disk, and the events will be
  // delivered. Errors: of journal::Outbox::put; kResourceExhausted is worth another try.
  Result<journal::PutResult> put(std::span<const Addressed> events,
                                 const std::optional<journal::Position>& position = {},
                                 std::span<const journal::Tally> tallies = {});

  // Ends what is under way and joins; what was not delivered stays in the outbox. Called by one thread.
  void stop();

  // Puts what its receivers refused, as far as it is kept, back into their lines: how many. Errors: of
  // journal::Outbox::try_again.
  Result<std::size_t> send_again();

  // In the order in which the sinks were given. Errors: of journal::Outbox::states.
  Result<std::vector<SinkState>> states();

 private:
  struct Line;
  void warn_of_others();
  void run(Line& line);
  bool deliver_next(Line& line);
  bool settle(Line& line, const journal::Waiting& waiting, const Result<void>& result);
  void pause(Duration most);

  journal::Outbox& outbox_;
  const DeliveryOptions options_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  ConditionVariable wake_;
  std::unique_ptr<ThreadPool> threads_;
};

}  // namespace bascule::applications

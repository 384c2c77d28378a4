#pragma once

#include <cstddef>
#include <optional>

#include "base/clock.h"

namespace bascule::batching {

// What may wait. Thread-safety: a value.
struct AdmissionLimits {
  std::size_t max_queue_size = 1000;                // requests; 0: no limit
  Duration queue_budget = std::chrono::seconds(1);  // of expected waiting; 0: only the length counts
};

// What is known when a request arrives. Thread-safety: a value.
struct QueueLoad {
  std::size_t waiting = 0;
  std::size_t behind = 0;  // of those that wait, the ones of lower priority: they are served after it
  std::size_t instances = 1;
  std::size_t idle_instances = 0;
  std::size_t running = 0;  // instances that are at work on requests which no longer wait
  Duration per_request{};   // an instance is taken up by one request, as measured; 0: not known yet
};

// Why a request is not let in, and when it is worth asking again.
struct QueueRefusal {
  bool full = false;  // the length; else the budget
  Duration expected_wait{};
  Duration retry_after{};
};

// How long the request would wait for those that are served before it, from the measured rate. What runs now
// counts whole, so that the estimate errs to the long side: else a queue kept full by overload ends its waits
// past the budget. The first to wait waits for nothing but that, and 0 is said: else a model whose run is
// longer than the budget would never have one waiting, and idle between.
[[nodiscard]] Duration expected_wait(const QueueLoad& load);

// Nothing: the request may wait. A request that meets an idle instance is always let in. A full queue refuses
// whoever comes next, as Triton's does: no one who was let in has to leave for a request of higher priority.
[[nodiscard]] std::optional<QueueRefusal> admit(const QueueLoad& load, const AdmissionLimits& limits);

}  // namespace bascule::batching

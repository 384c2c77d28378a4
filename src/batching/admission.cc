#include "batching/admission.h"

#include <algorithm>

namespace bascule::batching {
namespace {

// Part of the expected wait that is added to it before it is held against the budget: runs are not all alike,
// a machine's speed wanders by a tenth within a second, and of those let in on the edge half would wait
// longer than they may.
constexpr int kMargin = 8;
constexpr Duration kLeastRetry = std::chrono::milliseconds(1);
constexpr Duration kLongest = std::chrono::hours(1);

}  // namespace

Duration expected_wait(const QueueLoad& load) {
  const std::size_t waiting = load.waiting - std::min(load.behind, load.waiting);
  const double before = waiting == 0 ? 0 : static_cast<double>(waiting) + static_cast<double>(load.running);
  // In floating point: a queue without a limit times a slow run must not wrap around.
  const double wait = static_cast<double>(load.per_request.count()) * before /
                      static_cast<double>(std::max<std::size_t>(load.instances, 1));
  return Duration(static_cast<Duration::rep>(std::min(wait, static_cast<double>(kLongest.count()))));
}

std::optional<QueueRefusal> admit(const QueueLoad& load, const AdmissionLimits& limits) {
  if (load.waiting == 0 && load.idle_instances > 0) return std::nullopt;
  const Duration wait = expected_wait(load);
  const bool full = limits.max_queue_size > 0 && load.waiting >= limits.max_queue_size;
  const bool late = limits.queue_budget > Duration{} && wait + wait / kMargin > limits.queue_budget;
  if (!full && !late) return std::nullopt;
  // What stands before it will be served by then.
  return QueueRefusal{.full = full, .expected_wait = wait, .retry_after = std::max(wait, kLeastRetry)};
}

}  // namespace bascule::batching

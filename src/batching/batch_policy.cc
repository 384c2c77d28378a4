#include "batching/batch_policy.h"

#include <algorithm>

namespace bascule::batching {

Action decide(std::span<const Waiting> queue, const BatchPolicy& policy, TimePoint now) {
  if (queue.empty()) return {};
  const Waiting& first = queue.front();
  Action run{.kind = Action::Kind::kRun, .take = {0}, .until = {}};
  if (first.key.empty() || first.rows >= policy.max_batch_size) return run;

  std::size_t rows = first.rows;
  const auto is_preferred = [&](std::size_t count) {
    return std::ranges::find(policy.preferred_batch_size, count) != policy.preferred_batch_size.end();
  };
  std::size_t preferred = is_preferred(rows) ? run.take.size() : 0;  // how many of `take` make such a batch
  bool closed = false;                                               // no fuller batch is worth a wait
  TimePoint oldest = first.since;
  for (std::size_t at = 1; at < queue.size() && rows < policy.max_batch_size; ++at) {
    oldest = std::min(oldest, queue[at].since);
    if (queue[at].key != first.key || rows + queue[at].rows > policy.max_batch_size) {
      closed = true;
      continue;
    }
    rows += queue[at].rows;
    run.take.push_back(at);
    if (is_preferred(rows)) preferred = run.take.size();
  }
  const TimePoint until = oldest + policy.max_queue_delay;
  const bool over = now >= until;
  if (preferred > 0) {
    // One that has waited for as long as it may does not leave others behind for the sake of a round number.
    if (!over || policy.max_queue_delay == Duration{}) run.take.resize(preferred);
    return run;
  }
  const std::size_t wanted = policy.preferred_batch_size.empty()
                                 ? policy.max_batch_size
                                 : std::min(policy.preferred_batch_size.back(), policy.max_batch_size);
  if (closed || rows >= wanted || over) return run;
  return {.kind = Action::Kind::kWait, .take = {}, .until = until};
}

}  // namespace bascule::batching

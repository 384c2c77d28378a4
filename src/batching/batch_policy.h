#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace bascule::batching {

// How waiting requests become runs; names and meanings are Triton's (model configuration, dynamic_batching).
// Thread-safety: a value.
struct BatchPolicy {
  std::size_t max_batch_size = 1;  // rows of one run; a larger request runs alone
  // Ascending. The largest that can be formed is run at once; where none can, what there is, up to
  // max_batch_size, once the delay is over.
  std::vector<std::size_t> preferred_batch_size;
  // How long the oldest request may wait for a full (or a preferred) batch. 0: nothing waits while an
  // instance is idle.
  Duration max_queue_delay{};
};

// One waiting request, as the policy sees it.
struct Waiting {
  std::string_view key;  // requests with equal keys fit into one run; empty: fits with none
  std::size_t rows = 1;
  TimePoint since;
};

struct Action {
  enum class Kind {
    kNothing,  // until something changes
    kRun,
    kWait,  // decide again at `until`, or when something changes
  };
  Kind kind = Kind::kNothing;
  std::vector<std::size_t> take;  // with kRun: places in the queue, ascending; the first is always among them
  TimePoint until;                // with kWait
};

// What to do with `queue` (in the order in which it is served: by priority, then by arrival) while an
// instance is idle. The first request is always served first, with those behind it that fit; a request that
// does not fit is stepped over, and ends the wait for a fuller batch, as it does in Triton.
[[nodiscard]] Action decide(std::span<const Waiting> queue, const BatchPolicy& policy, TimePoint now);

}  // namespace bascule::batching

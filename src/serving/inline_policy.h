#pragma once

#include <cstddef>

#include "base/clock.h"

namespace bascule::serving {

// What is known when a tensor request arrives.
// Thread-safety: a value.
struct InlineSituation {
  Duration measured_run{};  // of the model, on `measured_bytes` of input
  std::size_t measured_bytes = 0;
  std::size_t request_bytes = 0;
  Duration limit{};             // 0: never
  Duration saved_by_sharing{};  // of a request's run, when it shares it
  bool alone = true;            // no other caller asks
  bool ordered = false;         // answers keep the order of the requests, which is that of the queue
};

// Whether sharing a run saves more than handing the request to a worker costs.
[[nodiscard]] bool shares(const InlineSituation& situation);

// Whether the request may run on the thread that read it: when its run, scaled up by its size, stays below
// the limit, and it could not gain more by sharing a run with others that ask at the same time. A hand-over
// to a worker costs more than such a run, and a longer one would keep other connections waiting.
[[nodiscard]] bool runs_inline(const InlineSituation& situation);

}  // namespace bascule::serving

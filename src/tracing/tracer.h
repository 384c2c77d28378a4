#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "tracing/traced_request.h"

namespace bascule::tracing {

struct TracerOptions {
  double ratio = 1;              // of the traces that begin here, 0 to 1, are recorded
  std::size_t max_queue = 2048;  // requests that wait to be sent; more are dropped
  std::size_t batch = 256;       // so many are worth being sent at once
  // Waits so long for a batch to fill up.
  Duration delay = std::chrono::seconds(1);
  std::uint64_t seed = 0;                    // of ids; else than another server's
  std::function<void(std::size_t)> dropped;  // told how many spans were; on the thread of the request
};

// Decides which requests are recorded, and keeps those that are until they are sent.
// Thread-safety: thread-safe.
class Tracer {
 public:
  explicit Tracer(TracerOptions options);

  // Whether a request is recorded, and if so its place in its trace: where the caller says which trace it
  // belongs to, as the caller records it or not; else by the trace's id, the last 56 bits of which decide as
  // in OpenTelemetry's consistent sampling by ratio. Both texts may be empty or anything.
  std::optional<TraceContext> sample(std::string_view traceparent, std::string_view tracestate);

  // Never waits: where the queue is full, the request is dropped and counted.
  void add(TracedRequest request);

  // What has come, at most one batch; waits for a batch, or until `delay` after its first request. Empty: it
  // was stopped, and nothing is left. Called by one thread.
  std::vector<TracedRequest> take();
  // From now on `take` does not wait, and what comes is dropped.
  void stop();

 private:
  std::uint64_t next(std::uint64_t stream);

  const TracerOptions options_;
  const std::uint64_t least_;  // ids below are not recorded
  std::atomic<std::uint64_t> count_ = 0;
  Mutex mutex_;
  ConditionVariable wake_;
  std::deque<TracedRequest> queue_ BASCULE_GUARDED_BY(mutex_);
  bool stopped_ BASCULE_GUARDED_BY(mutex_) = false;
};

}  // namespace bascule::tracing

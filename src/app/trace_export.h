#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "config/option.h"
#include "metrics/metrics.h"
#include "net/poster.h"
#include "tracing/otlp.h"
#include "tracing/tracer.h"

namespace bascule::app {

// Where OTLP/HTTP wants traces: `endpoint` itself where its path ends with /v1/traces, else that below it.
[[nodiscard]] std::string traces_url(const std::string& endpoint);
// "Name: value" of each "NAME=VALUE", percent-encoding resolved. Errors: kInvalidArgument with the entry's
// number, never its value.
Result<std::vector<std::string>> header_fields(std::span<const std::string> entries);

// Sends what is traced to an OpenTelemetry receiver, from a thread of its own. A batch that is not taken is
// tried again for a minute, then dropped; meanwhile what comes waits in the tracer's queue, or is
// dropped. What is dropped is counted, and said once a minute. Thread-safety: external (one thread).
class TraceExport {
 public:
  // Null where no endpoint is given. `metrics` and `clock` outlive it. Errors: of header_fields and
  // net::Poster::open.
  static Result<std::unique_ptr<TraceExport>> open(const config::Values& values, metrics::Metrics& metrics,
                                                   const Clock& clock);
  TraceExport(const config::Values& values, net::Poster poster, metrics::Metrics& metrics,
              const Clock& clock);
  ~TraceExport();
  TraceExport(const TraceExport&) = delete;
  TraceExport& operator=(const TraceExport&) = delete;

  // For the front ends; lives as long as this.
  [[nodiscard]] tracing::Tracer& tracer() { return tracer_; }
  // Sends what is left, for at most `grace`.
  void stop(Duration grace);

 private:
  void run();
  void send(std::span<const tracing::TracedRequest> batch);
  std::optional<Error> try_until_taken(const std::string& body, std::size_t spans);
  std::optional<Error> judge(const net::PostAnswer& answer, std::size_t spans);
  bool wait(Duration duration);
  void drop(std::size_t spans, const Error& why);
  [[nodiscard]] bool is_over() const;

  metrics::Metrics& metrics_;
  const Clock& clock_;
  const tracing::Resource resource_;
  net::Poster poster_;
  const std::uint64_t jitter_seed_;
  std::atomic<std::size_t> not_told_ = 0;  // spans dropped that no line of the log has said
  TimePoint told_{};                       // for the pool's one thread alone, as the next
  std::uint64_t tries_ = 0;
  tracing::Tracer tracer_;
  std::atomic<TimePoint> end_ = TimePoint::max();  // of the last try
  Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ BASCULE_GUARDED_BY(mutex_) = false;
  ThreadPool pool_;
};

}  // namespace bascule::app

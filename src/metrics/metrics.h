#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace bascule::metrics {

// Who was asked, and how: the labels. They must come from a closed set: a version that is loaded (else ""), a
// dialect.
struct Asked {
  std::string_view model;
  std::string_view version;
  std::string_view dialect;
};

// One answered inference request.
struct Answered {
  Duration request{};  // first byte to answer
  Duration queue{};
  Duration prepare{};
  Duration run{};
  Duration finish{};
  std::uint64_t rows = 1;  // inferences that it asked for
  // Of the run that it shared with other requests, one of which counts the run; 0: it had a run of its own.
  std::uint64_t run_rows = 0;
  bool counts_run = true;
  TimePoint at;
};

// How often, and how long in all.
struct Total {
  std::uint64_t count = 0;
  Duration time{};

  void add(Duration took) {
    ++count;
    time += took;
  }
  Total& operator+=(const Total& more) {
    count += more.count;
    time += more.time;
    return *this;
  }
};

// Triton's reasons of a failed request.
enum class FailureReason : std::uint8_t { kRejected, kCanceled, kBackend, kOther };
inline constexpr std::array<std::string_view, 4> kFailureReasons = {"REJECTED", "CANCELED", "BACKEND",
                                                                    "OTHER"};
// Refused by a queue or a deadline; given up by the caller; ours or the engine's fault; anything else.
[[nodiscard]] FailureReason failure_reason(const Error& error);

// Runs of one batch size.
struct BatchTotals {
  Total prepare;
  Total run;
  Total finish;
};

// What one version of a model did, over all dialects. The stages count successful requests.
// Thread-safety: a value.
struct ModelTotals {
  std::uint64_t inferences = 0;  // rows
  std::uint64_t executions = 0;  // runs of the engine
  Total success;
  Total failed;
  std::array<std::uint64_t, kFailureReasons.size()> failures{};  // by FailureReason
  Total queue;
  Total prepare;
  Total run;
  Total finish;
  TimePoint last{};                              // when the last request ended; TimePoint{}: none yet
  std::map<std::uint64_t, BatchTotals> batches;  // by rows of the run

  ModelTotals& operator+=(const ModelTotals& more);
};

// A version of a model, as it stands at a scrape.
struct ModelNow {
  std::string name;
  std::string version;
  std::string_view state;  // "loading", "ready", "failed", "unloaded"
  std::uint64_t file_bytes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t waiting = 0;  // requests that wait for an instance of it
};

// A rule of an application, and one of its sinks, as they stand at a scrape.
struct RuleNow {
  std::string name;
  std::uint64_t runs = 0;
  std::uint64_t events = 0;
  std::uint64_t failures = 0;
  Duration took{};  // of all runs
};
struct SinkNow {
  std::string name;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;  // tries
  std::uint64_t refused = 0;
  std::uint64_t dropped = 0;
  std::uint64_t waiting = 0;
  Duration oldest{};  // how long the first that waits has done so
};

// An application, as it stands at a scrape.
struct ApplicationNow {
  std::string name;
  std::string_view state;     // "running", "waiting", …
  std::uint64_t frames = 0;   // that its source gave
  std::uint64_t handled = 0;  // of which it made something
  std::uint64_t dropped = 0;
  std::uint64_t failed = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t events = 0;
  std::uint64_t retries = 0;  // of keeping events
  Duration inference{};
  Duration rules{};
  std::int64_t last_frame_ms = 0;  // its time, Unix; 0: none yet
  std::vector<RuleNow> each_rule;
  std::vector<SinkNow> each_sink;
};

// The server's counters and histograms, in Prometheus text exposition; docs/metrics.md names every series.
// Thread-safety: thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // One answered inference request.
  void request_done(const Asked& asked, const Answered& answered);
  // One request refused before it was an inference of a model, or one that never was to be.
  void request_refused(const Asked& asked, const Error& error);
  // One inference request of a model that failed.
  void request_failed(const Asked& asked, const Error& error, Duration took, TimePoint at);
  // One attempt to load a model.
  void load_done(std::string_view model, bool loaded);
  // One run of queued requests, and how many rows it had.
  void batch_done(std::string_view model, std::string_view version, std::size_t rows);
  // One model that was unloaded to make room for another.
  void evicted(std::string_view model);
  // One attempt to fetch what a URL names: "fetched", "refused" by a rule, "failed".
  void url_fetched(std::string_view outcome);
  // Spans of traces that were sent, or given up.
  void spans_sent(std::size_t count);
  void spans_dropped(std::size_t count);
  void set_build_info(std::string_view version);

  // What one version did so far.
  [[nodiscard]] ModelTotals totals(std::string_view model, std::string_view version) const;
  // The text; `models` and `applications`: those known now.
  [[nodiscard]] std::string render(const std::vector<ModelNow>& models,
                                   const std::vector<ApplicationNow>& applications = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The memory of this process that is its own, in bytes: not its program and libraries, whose pages come with
// their first use; 0 where the kernel does not tell.
[[nodiscard]] std::uint64_t private_bytes();

}  // namespace bascule::metrics

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace bascule::metrics {

// The server's own counters and histograms, in Prometheus text exposition.
// Thread-safety: thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Label values must come from a closed set: a model that is loaded (else ""), a dialect.
  // One answered request: bascule_requests_total{model,dialect} and bascule_request_seconds{model,dialect}.
  void request_done(std::string_view model, std::string_view dialect, Duration took);
  // One refused or failed: bascule_request_errors_total{model,dialect,code,reason}.
  void request_failed(std::string_view model, std::string_view dialect, const Error& error);
  // bascule_models{state="ready"|"failed"|"loading"}.
  void set_models(std::string_view state, int count);
  // bascule_build_info{version=…} 1.
  void set_build_info(std::string_view version);

  [[nodiscard]] std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bascule::metrics

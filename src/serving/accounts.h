#pragma once

#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "content/infer.h"
#include "content/statistics.h"
#include "metrics/metrics.h"
#include "serving/control_service.h"

namespace bascule::serving {

// Keeps the books of what front ends answered and refused, the same for all of them.
// Thread-safety: thread-safe.
class Accounts {
 public:
  // All outlive it.
  Accounts(metrics::Metrics& metrics, const ControlService& control, const Clock& clock)
      : metrics_(metrics), control_(control), clock_(clock) {}

  // `dialect`: label of who asked. `started`: when the request's first byte came.
  void answered(const content::InferResponse& answer, std::string_view dialect, TimePoint started) const;
  // An inference request that failed, or any other that was refused, with the names that the caller gave:
  // only what is known becomes a label, since others are the caller's to choose, without end.
  void failed(std::string_view model, std::string_view version, std::string_view dialect, const Error& error,
              TimePoint started) const;
  void refused(std::string_view model, std::string_view version, std::string_view dialect,
               const Error& error) const;

  // Of every version that serves; an empty name or version means all. Errors: as ControlService::model, where
  // a name is given that does not serve.
  [[nodiscard]] Result<std::vector<content::ModelStatistics>> statistics(std::string_view model,
                                                                         std::string_view version) const;

 private:
  metrics::Metrics& metrics_;
  const ControlService& control_;
  const Clock& clock_;
};

}  // namespace bascule::serving

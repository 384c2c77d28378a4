#pragma once

#include "base/clock.h"
#include "content/model_info.h"
#include "content/statistics.h"
#include "metrics/metrics.h"

namespace bascule::http {

// What was counted for a version, as a dialect tells it. `now`: of the clock that `totals` was counted with.
[[nodiscard]] content::ModelStatistics statistics_of(const content::ModelStatus& model,
                                                     const metrics::ModelTotals& totals, TimePoint now);

}  // namespace bascule::http

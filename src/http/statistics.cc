#include "http/statistics.h"

#include <chrono>

#include "base/date.h"

namespace bascule::http {
namespace {

content::DurationTotal told(const metrics::Total& total) {
  return {.count = total.count, .time = total.time};
}

// The requests' clock knows no date; the distance to now does.
std::chrono::milliseconds date_of(TimePoint then, TimePoint now) {
  if (then == TimePoint{}) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(unix_time() - (now - then));
}

}  // namespace

content::ModelStatistics statistics_of(const content::ModelStatus& model, const metrics::ModelTotals& totals,
                                       TimePoint now) {
  content::ModelStatistics out{.name = model.name,
                               .version = model.version,
                               .last_inference = date_of(totals.last, now),
                               .inference_count = totals.inferences,
                               .execution_count = totals.executions,
                               .success = told(totals.success),
                               .fail = told(totals.failed),
                               .queue = told(totals.queue),
                               .prepare = told(totals.prepare),
                               .run = told(totals.run),
                               .finish = told(totals.finish)};
  for (const auto& [size, batch] : totals.batches) {
    out.batches.push_back({.batch_size = size,
                           .prepare = told(batch.prepare),
                           .run = told(batch.run),
                           .finish = told(batch.finish)});
  }
  return out;
}

}  // namespace bascule::http

#include "serving/accounts.h"

#include <chrono>
#include <cstdint>

#include "base/date.h"

namespace bascule::serving {
namespace {

// Inferences that one request asked for.
std::uint64_t rows_of(const content::InferResponse& answer) {
  const bool has_rows = answer.model->batchable || answer.model->static_batch > 0;
  if (!has_rows || answer.outputs.empty()) return 1;
  const tensor::Shape& shape = answer.outputs.front().tensor.shape;
  return shape.empty() ? 1
                       : static_cast<std::uint64_t>(shape.front());  // a file may promise more than it gives
}

content::DurationTotal told(const metrics::Total& total) {
  return {.count = total.count, .time = total.time};
}

// The requests' clock knows no date; the distance to now does.
std::chrono::milliseconds date_of(TimePoint then, TimePoint now) {
  if (then == TimePoint{}) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(unix_time() - (now - then));
}

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
                               .finish = told(totals.finish),
                               .batches = {},
                               .memory_bytes = model.memory_bytes};
  for (const auto& [size, batch] : totals.batches) {
    out.batches.push_back({.batch_size = size,
                           .prepare = told(batch.prepare),
                           .run = told(batch.run),
                           .finish = told(batch.finish)});
  }
  return out;
}

}  // namespace

void Accounts::answered(const content::InferResponse& answer, std::string_view dialect,
                        TimePoint started) const {
  const TimePoint now = clock_.now();
  metrics_.request_done({.model = answer.model->name, .version = answer.model->version, .dialect = dialect},
                        {.request = now - started,
                         .queue = answer.stages.queue,
                         .prepare = answer.stages.prepare,
                         .run = answer.stages.run,
                         .finish = answer.stages.finish,
                         .rows = rows_of(answer),
                         .run_rows = answer.stages.shared_rows,
                         .counts_run = answer.stages.first_of_run,
                         .at = now});
}

void Accounts::failed(std::string_view model, std::string_view version, std::string_view dialect,
                      const Error& error, TimePoint started) const {
  const auto known = control_.model(model, version);
  if (!known) return refused(model, version, dialect, error);
  const TimePoint now = clock_.now();
  metrics_.request_failed({.model = (*known)->name, .version = (*known)->version, .dialect = dialect}, error,
                          now - started, now);
}

void Accounts::refused(std::string_view model, std::string_view version, std::string_view dialect,
                       const Error& error) const {
  const auto serves = control_.model(model, version);
  const bool known =
      serves || error.reason == Reason::kModelNotReady || error.reason == Reason::kUnknownVersion;
  metrics_.request_refused({.model = known ? model : std::string_view{},
                            .version = serves ? std::string_view((*serves)->version) : "",
                            .dialect = dialect},
                           error);
}

Result<std::vector<content::ModelStatistics>> Accounts::statistics(std::string_view model,
                                                                   std::string_view version) const {
  std::vector<content::ModelStatistics> all;
  for (const content::ModelStatus& status : control_.models()) {
    if (status.state != content::ModelState::kReady) continue;
    if (!model.empty() && status.name != model) continue;
    if (!version.empty() && status.version != version) continue;
    all.push_back(statistics_of(status, metrics_.totals(status.name, status.version), clock_.now()));
  }
  if (all.empty() && !model.empty()) {
    if (const auto known = control_.model(model, version); !known) return known.error();
  }
  return all;
}

}  // namespace bascule::serving

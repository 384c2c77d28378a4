#include "metrics/request_stats.h"

#include <algorithm>
#include <functional>
#include <tuple>

namespace bascule::metrics {
namespace {

// A caller chooses the rows of a request, so the table of sizes has an end.
constexpr std::size_t kMaxBatchSizes = 256;

std::size_t hash_of(const Asked& asked) {
  const std::hash<std::string_view> hash;
  return (hash(asked.model) * 31 + hash(asked.version)) * 31 + hash(asked.dialect);
}

void add_execution(ModelTotals& totals, const Answered& answered) {
  if (!answered.counts_run) return;
  ++totals.executions;
  const std::uint64_t rows = answered.run_rows > 0 ? answered.run_rows : answered.rows;
  if (totals.batches.size() >= kMaxBatchSizes && !totals.batches.contains(rows)) return;
  BatchTotals& batch = totals.batches[rows];
  batch.prepare.add(answered.prepare);
  batch.run.add(answered.run);
  batch.finish.add(answered.finish);
}

void count_error(Counts& counts, const Error& error) {
  ++counts.errors[static_cast<std::size_t>(error.code)][static_cast<std::size_t>(error.reason)];
}

}  // namespace

ModelTotals& ModelTotals::operator+=(const ModelTotals& more) {
  inferences += more.inferences;
  executions += more.executions;
  success += more.success;
  failed += more.failed;
  for (std::size_t i = 0; i < failures.size(); ++i) failures[i] += more.failures[i];
  queue += more.queue;
  prepare += more.prepare;
  run += more.run;
  finish += more.finish;
  last = std::max(last, more.last);
  for (const auto& [size, batch] : more.batches) {
    BatchTotals& into = batches[size];
    into.prepare += batch.prepare;
    into.run += batch.run;
    into.finish += batch.finish;
  }
  return *this;
}

FailureReason failure_reason(const Error& error) {
  switch (error.code) {
    case Code::kResourceExhausted:
    case Code::kDeadlineExceeded: return FailureReason::kRejected;
    case Code::kCancelled: return FailureReason::kCanceled;
    case Code::kInternal: return FailureReason::kBackend;
    default: return FailureReason::kOther;
  }
}

void RequestStats::done(const Asked& asked, const Answered& answered) {
  series(asked).counts.with([&](Counts& counts) {
    counts.request.observe(answered.request);
    counts.queue.observe(answered.queue);
    counts.prepare.observe(answered.prepare);
    counts.run.observe(answered.run);
    counts.finish.observe(answered.finish);
    ModelTotals& totals = counts.totals;
    totals.inferences += answered.rows;
    totals.success.add(answered.request);
    totals.queue.add(answered.queue);
    totals.prepare.add(answered.prepare);
    totals.run.add(answered.run);
    totals.finish.add(answered.finish);
    totals.last = std::max(totals.last, answered.at);
    add_execution(totals, answered);
  });
}

void RequestStats::refused(const Asked& asked, const Error& error) {
  series(asked).counts.with([&](Counts& counts) { count_error(counts, error); });
}

void RequestStats::failed(const Asked& asked, const Error& error, Duration took, TimePoint at) {
  series(asked).counts.with([&](Counts& counts) {
    count_error(counts, error);
    ModelTotals& totals = counts.totals;
    totals.failed.add(took);
    ++totals.failures[static_cast<std::size_t>(failure_reason(error))];
    totals.last = std::max(totals.last, at);
  });
}

std::vector<SeriesCounts> RequestStats::snapshot() const {
  std::vector<SeriesCounts> out;
  {
    MutexLock lock(mutex_);
    out.reserve(all_.size());
    for (const Series& series : all_) {
      out.push_back({.model = series.model,
                     .version = series.version,
                     .dialect = series.dialect,
                     .counts = series.counts.with([](const Counts& counts) { return counts; })});
    }
  }
  std::ranges::sort(out, {}, [](const SeriesCounts& series) {
    return std::tie(series.model, series.version, series.dialect);
  });
  return out;
}

ModelTotals RequestStats::totals(std::string_view model, std::string_view version) const {
  ModelTotals sum;
  MutexLock lock(mutex_);
  for (const Series& series : all_) {
    if (series.model != model || series.version != version) continue;
    series.counts.with([&](const Counts& counts) { sum += counts.totals; });
  }
  return sum;
}

RequestStats::Series& RequestStats::series(const Asked& asked) {
  std::atomic<Series*>& chain = chains_[hash_of(asked) % kChains];
  if (Series* found = find(chain.load(std::memory_order_acquire), asked)) return *found;
  MutexLock lock(mutex_);
  if (Series* found = find(chain.load(std::memory_order_acquire), asked)) return *found;
  Series& made = all_.emplace_back();
  made.model = asked.model;
  made.version = asked.version;
  made.dialect = asked.dialect;
  made.next = chain.load(std::memory_order_relaxed);
  chain.store(&made, std::memory_order_release);
  return made;
}

RequestStats::Series* RequestStats::find(Series* chain, const Asked& asked) {
  while (chain != nullptr && (chain->model != asked.model || chain->version != asked.version ||
                              chain->dialect != asked.dialect)) {
    chain = chain->next;
  }
  return chain;
}

}  // namespace bascule::metrics

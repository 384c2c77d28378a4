#include "metrics/metrics.h"

#include <iterator>
#include <sstream>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "metrics/families.h"
#include "metrics/request_stats.h"

namespace bascule::metrics {

// What is counted on every request lies in `requests`, in memory laid out for it; what changes rarely in a
// registry.
struct Metrics::State {
  RequestStats requests;
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& loads = prometheus::BuildCounter()
                                                       .Name("bascule_model_loads_total")
                                                       .Help("Model versions loaded.")
                                                       .Register(registry);
  prometheus::Family<prometheus::Counter>& load_failures = prometheus::BuildCounter()
                                                               .Name("bascule_model_load_failures_total")
                                                               .Help("Model versions that failed to load.")
                                                               .Register(registry);
  prometheus::Family<prometheus::Histogram>& batch_size =
      prometheus::BuildHistogram()
          .Name("bascule_batch_size")
          .Help(
              "Rows of the runs that requests waited for; those run at once by their reader are not "
              "counted.")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& evictions = prometheus::BuildCounter()
                                                           .Name("bascule_model_evictions_total")
                                                           .Help("Models unloaded to make room for others.")
                                                           .Register(registry);
  prometheus::Family<prometheus::Counter>& url_fetches =
      prometheus::BuildCounter()
          .Name("bascule_url_fetches_total")
          .Help("URLs that requests named, by what came of them.")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& spans =
      prometheus::BuildCounter()
          .Name("bascule_trace_spans_total")
          .Help("Spans of recorded requests, by what came of them.")
          .Register(registry);
  prometheus::Counter& spans_exported = spans.Add({{"outcome", "exported"}});
  prometheus::Counter& spans_dropped = spans.Add({{"outcome", "dropped"}});
  prometheus::Family<prometheus::Gauge>& build_info = prometheus::BuildGauge()
                                                          .Name("bascule_build_info")
                                                          .Help("Always 1; the labels say what is running.")
                                                          .Register(registry);
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::request_done(const Asked& asked, const Answered& answered) {
  state_->requests.done(asked, answered);
}

void Metrics::request_refused(const Asked& asked, const Error& error) {
  state_->requests.refused(asked, error);
}

void Metrics::request_failed(const Asked& asked, const Error& error, Duration took, TimePoint at) {
  state_->requests.failed(asked, error, took, at);
}

void Metrics::load_done(std::string_view model, bool loaded) {
  const prometheus::Labels labels = {{"model", std::string(model)}};
  prometheus::Counter& failures = state_->load_failures.Add(labels);  // shown as 0 before the first
  state_->evictions.Add(labels);
  (loaded ? state_->loads.Add(labels) : failures).Increment();
}

void Metrics::batch_done(std::string_view model, std::string_view version, std::size_t rows) {
  static const prometheus::Histogram::BucketBoundaries bounds = {1, 2, 4, 8, 16, 32, 64, 128};
  state_->batch_size.Add({{"model", std::string(model)}, {"version", std::string(version)}}, bounds)
      .Observe(static_cast<double>(rows));
}

void Metrics::evicted(std::string_view model) {
  state_->evictions.Add({{"model", std::string(model)}}).Increment();
}

void Metrics::url_fetched(std::string_view outcome) {
  state_->url_fetches.Add({{"outcome", std::string(outcome)}}).Increment();
}

void Metrics::spans_sent(std::size_t count) { state_->spans_exported.Increment(static_cast<double>(count)); }

void Metrics::spans_dropped(std::size_t count) {
  state_->spans_dropped.Increment(static_cast<double>(count));
}

void Metrics::set_build_info(std::string_view version) {
  state_->build_info.Add({{"version", std::string(version)}}).Set(1);
}

ModelTotals Metrics::totals(std::string_view model, std::string_view version) const {
  return state_->requests.totals(model, version);
}

std::string Metrics::render(const std::vector<ModelNow>& models,
                            const std::vector<ApplicationNow>& applications) const {
  const std::vector<SeriesCounts> requests = state_->requests.snapshot();
  Families families;
  append_requests(families, requests);
  append_triton(families, requests, models);
  append_models(families, models);
  append_applications(families, applications);
  std::ranges::move(state_->registry.Collect(), std::back_inserter(families));
  append_process(families);
  // A family without a series would be a heading alone.
  std::erase_if(families, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace bascule::metrics

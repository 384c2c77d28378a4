#include "metrics/metrics.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <sstream>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "base/mutex.h"

namespace bascule::metrics {
namespace {

// Seconds. From 100 us, where tiny models answer, to 60 s; about three per octave of ten where most answers
// fall, so that a quantile read from them is off by less than half.
const prometheus::Histogram::BucketBoundaries& buckets() {
  static const prometheus::Histogram::BucketBoundaries bounds = {
      0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.005,
      0.0075, 0.01,    0.015,  0.02,   0.03,   0.05,   0.075, 0.1,    0.15,  0.2,   0.3,
      0.5,    0.75,    1,      1.5,    2,      3,      5,     10,     20,    30,    60};
  return bounds;
}

constexpr std::size_t kCodes = static_cast<std::size_t>(Code::kInternal) + 1;
constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::kUnknownRoute) + 1;
constexpr std::size_t kTableSize = 64;  // chains of the lookup table; models times dialects, most often a few

// The series of one model in one dialect, found once and then counted without a lock of the registry.
struct Series {
  std::string model;
  std::string dialect;
  prometheus::Counter* requests = nullptr;
  prometheus::Histogram* seconds = nullptr;
  // By code and reason; made at the first error of its kind, so that only what happened is shown.
  std::array<std::atomic<prometheus::Counter*>, kCodes * kReasons> errors{};
  Series* next = nullptr;  // in its chain
};

std::size_t chain_of(std::string_view model, std::string_view dialect) {
  const std::hash<std::string_view> hash;
  return (hash(model) * 31 + hash(dialect)) % kTableSize;
}

}  // namespace

// Readers walk the chains without a lock: entries are only ever added, in front, and never change their keys.
struct Metrics::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("bascule_requests_total")
                                                          .Help("Inference requests answered.")
                                                          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram()
          .Name("bascule_request_seconds")
          .Help("Time from a request's first byte to its answer, of inference requests answered.")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& errors =
      prometheus::BuildCounter()
          .Name("bascule_request_errors_total")
          .Help("Requests refused or failed, by code and reason.")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& models =
      prometheus::BuildGauge().Name("bascule_models").Help("Model versions by state.").Register(registry);
  prometheus::Family<prometheus::Gauge>& build_info = prometheus::BuildGauge()
                                                          .Name("bascule_build_info")
                                                          .Help("Always 1; the labels say what is running.")
                                                          .Register(registry);

  std::array<std::atomic<Series*>, kTableSize> chains{};
  Mutex mutex;
  std::deque<Series> all BASCULE_GUARDED_BY(mutex);

  Series& series(std::string_view model, std::string_view dialect) {
    std::atomic<Series*>& chain = chains[chain_of(model, dialect)];
    if (Series* found = find(chain.load(std::memory_order_acquire), model, dialect)) return *found;
    MutexLock lock(mutex);
    if (Series* found = find(chain.load(std::memory_order_acquire), model, dialect)) return *found;
    Series& made = all.emplace_back();
    made.model = model;
    made.dialect = dialect;
    const prometheus::Labels labels = {{"model", made.model}, {"dialect", made.dialect}};
    made.requests = &requests.Add(labels);
    made.seconds = &seconds.Add(labels, buckets());
    made.next = chain.load(std::memory_order_relaxed);
    chain.store(&made, std::memory_order_release);
    return made;
  }

  static Series* find(Series* chain, std::string_view model, std::string_view dialect) {
    while (chain != nullptr && (chain->model != model || chain->dialect != dialect)) chain = chain->next;
    return chain;
  }

  prometheus::Counter& error_counter(Series& of, const Error& error) {
    const std::size_t index =
        static_cast<std::size_t>(error.code) * kReasons + static_cast<std::size_t>(error.reason);
    std::atomic<prometheus::Counter*>& slot = of.errors[index];
    prometheus::Counter* counter = slot.load(std::memory_order_acquire);
    if (counter == nullptr) {  // Family::Add gives the same counter to all who race here
      counter = &errors.Add({{"model", of.model},
                             {"dialect", of.dialect},
                             {"code", std::string(to_string(error.code))},
                             {"reason", std::string(to_string(error.reason))}});
      slot.store(counter, std::memory_order_release);
    }
    return *counter;
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::request_done(std::string_view model, std::string_view dialect, Duration took) {
  Series& series = state_->series(model, dialect);
  series.requests->Increment();
  series.seconds->Observe(to_seconds(took));
}

void Metrics::request_failed(std::string_view model, std::string_view dialect, const Error& error) {
  state_->error_counter(state_->series(model, dialect), error).Increment();
}

void Metrics::set_models(std::string_view state, int count) {
  state_->models.Add({{"state", std::string(state)}}).Set(count);
}

void Metrics::set_build_info(std::string_view version) {
  state_->build_info.Add({{"version", std::string(version)}}).Set(1);
}

std::string Metrics::render() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, state_->registry.Collect());
  return std::move(out).str();
}

}  // namespace bascule::metrics

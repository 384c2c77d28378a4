#include "metrics/families.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace bascule::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

MetricFamily& add_family(Families& out, std::string name, MetricType type, std::string help) {
  MetricFamily& family = out.emplace_back();
  family.name = std::move(name);
  family.type = type;
  family.help = std::move(help);
  return family;
}

void add_value(MetricFamily& family, Labels labels, double value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}

void add_histogram(MetricFamily& family, Labels labels, const Histogram& histogram) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    below += histogram.counts()[i];
    metric.histogram.bucket.push_back({.cumulative_count = below,
                                       .upper_bound = i < histogram.bounds().size()
                                                          ? to_seconds(histogram.bounds()[i])
                                                          : std::numeric_limits<double>::infinity()});
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = to_seconds(histogram.sum());
}

Labels labels_of(const SeriesCounts& series) {
  return {{"dialect", series.dialect}, {"model", series.model}, {"version", series.version}};
}

void append_errors(Families& out, const std::vector<SeriesCounts>& all) {
  MetricFamily& family = add_family(out, "bascule_request_errors_total", MetricType::Counter,
                                    "Requests refused or failed, by code and reason.");
  for (const SeriesCounts& series : all) {
    for (std::size_t code = 0; code < kCodes; ++code) {
      for (std::size_t reason = 0; reason < kReasons; ++reason) {
        const std::uint64_t count = series.counts.errors[code][reason];
        if (count == 0) continue;
        add_value(family,
                  {{"code", std::string(to_string(static_cast<Code>(code)))},
                   {"dialect", series.dialect},
                   {"model", series.model},
                   {"reason", std::string(to_string(static_cast<Reason>(reason)))},
                   {"version", series.version}},
                  static_cast<double>(count));
      }
    }
  }
}

// One counter of Triton's, and where its value is found.
struct TritonCounter {
  std::string_view name;
  std::string_view help;
  double (*value)(const ModelTotals&);
};

double to_us(const Total& total) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(total.time).count());
}

constexpr TritonCounter kTritonCounters[] = {
    {"nv_inference_request_success", "Number of successful inference requests, all batch sizes",
     [](const ModelTotals& totals) { return static_cast<double>(totals.success.count); }},
    {"nv_inference_count", "Number of inferences performed (does not include cached requests)",
     [](const ModelTotals& totals) { return static_cast<double>(totals.inferences); }},
    {"nv_inference_exec_count", "Number of model executions performed (does not include cached requests)",
     [](const ModelTotals& totals) { return static_cast<double>(totals.executions); }},
    {"nv_inference_request_duration_us",
     "Cumulative inference request duration in microseconds (includes cached requests)",
     [](const ModelTotals& totals) { return to_us(totals.success); }},
    {"nv_inference_queue_duration_us",
     "Cumulative inference queuing duration in microseconds (includes cached requests)",
     [](const ModelTotals& totals) { return to_us(totals.queue); }},
    {"nv_inference_compute_input_duration_us",
     "Cumulative compute input duration in microseconds (does not include cached requests)",
     [](const ModelTotals& totals) { return to_us(totals.prepare); }},
    {"nv_inference_compute_infer_duration_us",
     "Cumulative compute inference duration in microseconds (does not include cached requests)",
     [](const ModelTotals& totals) { return to_us(totals.run); }},
    {"nv_inference_compute_output_duration_us",
     "Cumulative inference compute output duration in microseconds (does not include cached requests)",
     [](const ModelTotals& totals) { return to_us(totals.finish); }},
};

}  // namespace

void append_requests(Families& out, const std::vector<SeriesCounts>& all) {
  MetricFamily& requests =
      add_family(out, "bascule_requests_total", MetricType::Counter, "Inference requests answered.");
  for (const SeriesCounts& series : all) {
    const auto count = series.counts.totals.success.count;
    if (count > 0) add_value(requests, labels_of(series), static_cast<double>(count));
  }
  MetricFamily& seconds =
      add_family(out, "bascule_request_seconds", MetricType::Histogram,
                 "Time from a request's first byte to its answer, of inference requests answered.");
  for (const SeriesCounts& series : all) {
    if (series.counts.totals.success.count > 0) {
      add_histogram(seconds, labels_of(series), series.counts.request);
    }
  }
  MetricFamily& stages = add_family(out, "bascule_stage_seconds", MetricType::Histogram,
                                    "Where the time of inference requests answered went.");
  for (const SeriesCounts& series : all) {
    if (series.counts.totals.success.count == 0) continue;
    const Counts& counts = series.counts;
    for (const auto& [stage, histogram] : {std::pair{"queue", &counts.queue},
                                           {"prepare", &counts.prepare},
                                           {"run", &counts.run},
                                           {"finish", &counts.finish}}) {
      Labels labels = labels_of(series);
      labels.insert(labels.begin() + 2, {"stage", stage});
      add_histogram(stages, std::move(labels), *histogram);
    }
  }
  append_errors(out, all);
}

void append_triton(Families& out, const std::vector<SeriesCounts>& all, const std::vector<ModelNow>& models) {
  std::map<std::pair<std::string, std::string>, ModelTotals> versions;
  for (const ModelNow& model : models) {
    if (model.state == "ready") versions.try_emplace({model.name, model.version});
  }
  for (const SeriesCounts& series : all) {
    if (series.version.empty()) continue;
    versions[{series.model, series.version}] += series.counts.totals;
  }
  for (const TritonCounter& counter : kTritonCounters) {
    MetricFamily& family =
        add_family(out, std::string(counter.name), MetricType::Counter, std::string(counter.help));
    for (const auto& [key, totals] : versions) {
      add_value(family, {{"model", key.first}, {"version", key.second}}, counter.value(totals));
    }
  }
  MetricFamily& failures = add_family(out, "nv_inference_request_failure", MetricType::Counter,
                                      "Number of failed inference requests, all batch sizes");
  for (const auto& [key, totals] : versions) {
    for (std::size_t i = 0; i < kFailureReasons.size(); ++i) {
      add_value(failures,
                {{"model", key.first}, {"reason", std::string(kFailureReasons[i])}, {"version", key.second}},
                static_cast<double>(totals.failures[i]));
    }
  }
}

void append_models(Families& out, const std::vector<ModelNow>& models) {
  MetricFamily& states = add_family(out, "bascule_models", MetricType::Gauge, "Model versions by state.");
  for (const std::string_view state : {"loading", "ready", "failed", "unloaded"}) {
    const auto count = std::ranges::count(models, state, &ModelNow::state);
    add_value(states, {{"state", std::string(state)}}, static_cast<double>(count));
  }
  const struct {
    std::string_view name;
    std::string_view help;
    std::uint64_t ModelNow::* value;
  } gauges[] = {
      {"bascule_model_file_bytes", "Size of the file of a model version that is ready.",
       &ModelNow::file_bytes},
      {"bascule_model_memory_bytes", "About how much memory a model version that is ready needs.",
       &ModelNow::memory_bytes},
      {"bascule_queue_depth", "Requests that wait for an instance.", &ModelNow::waiting},
      {"nv_inference_pending_request_count",
       "Instantaneous number of pending requests awaiting execution per-model.", &ModelNow::waiting}};
  for (const auto& [name, help, value] : gauges) {
    MetricFamily& family = add_family(out, std::string(name), MetricType::Gauge, std::string(help));
    for (const ModelNow& model : models) {
      if (model.state != "ready" && model.waiting == 0) continue;
      add_value(family, {{"model", model.name}, {"version", model.version}},
                static_cast<double>(model.*value));
    }
  }
}

namespace {

void append_rules(Families& out, const std::vector<ApplicationNow>& applications) {
  const struct {
    std::string_view name;
    std::string_view help;
    double (*value)(const RuleNow&);
  } series[] = {{"bascule_application_rule_runs_total", "How often a rule was asked.",
                 [](const RuleNow& now) { return static_cast<double>(now.runs); }},
                {"bascule_application_rule_seconds_total", "Time that a rule took.",
                 [](const RuleNow& now) { return to_seconds(now.took); }},
                {"bascule_application_rule_events_total", "How often a rule fired.",
                 [](const RuleNow& now) { return static_cast<double>(now.events); }},
                {"bascule_application_rule_failures_total", "How often a rule failed.",
                 [](const RuleNow& now) { return static_cast<double>(now.failures); }}};
  for (const auto& [name, help, value] : series) {
    MetricFamily& family = add_family(out, std::string(name), MetricType::Counter, std::string(help));
    for (const ApplicationNow& one : applications) {
      for (const RuleNow& rule : one.each_rule)
        add_value(family, {{"app", one.name}, {"rule", rule.name}}, value(rule));
    }
  }
}

void append_sinks(Families& out, const std::vector<ApplicationNow>& applications) {
  // Each of them before the next is made: making one may move those before.
  const auto of_each = [&](const char* name, MetricType type, const char* help, const auto& add) {
    MetricFamily& family = add_family(out, name, type, help);
    for (const ApplicationNow& one : applications) {
      for (const SinkNow& sink : one.each_sink) add(family, one, sink);
    }
  };
  of_each("bascule_application_deliveries_total", MetricType::Counter,
          "Events that a sink brought to its receiver, or could not.",
          [](MetricFamily& family, const ApplicationNow& one, const SinkNow& sink) {
            const std::pair<const char*, std::uint64_t> outcomes[] = {{"delivered", sink.delivered},
                                                                      {"failed", sink.failed},
                                                                      {"refused", sink.refused},
                                                                      {"dropped", sink.dropped}};
            for (const auto& [outcome, count] : outcomes) {
              add_value(family, {{"app", one.name}, {"outcome", outcome}, {"sink", sink.name}},
                        static_cast<double>(count));
            }
          });
  of_each("bascule_application_waiting_events", MetricType::Gauge, "Events that wait for a sink's receiver.",
          [](MetricFamily& family, const ApplicationNow& one, const SinkNow& sink) {
            add_value(family, {{"app", one.name}, {"sink", sink.name}}, static_cast<double>(sink.waiting));
          });
  of_each("bascule_application_oldest_waiting_seconds", MetricType::Gauge,
          "How long the first of them has waited.",
          [](MetricFamily& family, const ApplicationNow& one, const SinkNow& sink) {
            add_value(family, {{"app", one.name}, {"sink", sink.name}}, to_seconds(sink.oldest));
          });
}

}  // namespace

void append_applications(Families& out, const std::vector<ApplicationNow>& applications) {
  using Now = ApplicationNow;
  MetricFamily& states = add_family(out, "bascule_application_state", MetricType::Gauge,
                                    "1 for the state that an application is in.");
  for (const Now& one : applications) {
    add_value(states, {{"app", one.name}, {"state", std::string(one.state)}}, 1);
  }
  const struct {
    std::string_view name;
    std::string_view help;
    double (*value)(const Now&);
    MetricType type = MetricType::Counter;
  } series[] = {
      {"bascule_application_frames_total", "Frames that an application's source gave.",
       [](const Now& now) { return static_cast<double>(now.frames); }},
      {"bascule_application_handled_frames_total", "Frames that were shown to the model and judged.",
       [](const Now& now) { return static_cast<double>(now.handled); }},
      {"bascule_application_dropped_frames_total", "Frames that a later one took the place of.",
       [](const Now& now) { return static_cast<double>(now.dropped); }},
      {"bascule_application_failed_frames_total", "Frames that nothing could be made of.",
       [](const Now& now) { return static_cast<double>(now.failed); }},
      {"bascule_application_reconnects_total", "How often a source was opened again.",
       [](const Now& now) { return static_cast<double>(now.reconnects); }},
      {"bascule_application_events_total", "Events that rules had and that were kept.",
       [](const Now& now) { return static_cast<double>(now.events); }},
      {"bascule_application_keep_retries_total", "Tries to keep events after the first.",
       [](const Now& now) { return static_cast<double>(now.retries); }},
      {"bascule_application_inference_seconds_total", "Time from a frame to what the model found on it.",
       [](const Now& now) { return to_seconds(now.inference); }},
      {"bascule_application_rules_seconds_total", "Time that tracking and rules took.",
       [](const Now& now) { return to_seconds(now.rules); }},
      {"bascule_application_last_frame_timestamp_seconds", "The time of the last handled frame.",
       [](const Now& now) { return static_cast<double>(now.last_frame_ms) / 1000; }, MetricType::Gauge}};
  for (const auto& [name, help, value, type] : series) {
    MetricFamily& family = add_family(out, std::string(name), type, std::string(help));
    for (const Now& one : applications) add_value(family, {{"app", one.name}}, value(one));
  }
  append_rules(out, applications);
  append_sinks(out, applications);
}

}  // namespace bascule::metrics

#include "metrics/metrics.h"

#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::metrics {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Asked kFruit{.model = "fruit", .version = "1", .dialect = "v2"};
constexpr TimePoint kThen = TimePoint{} + std::chrono::hours(1);

Answered answered(Duration took) { return {.request = took, .at = kThen}; }

TEST(Metrics, CountsAnsweredRequestsByModelVersionAndDialect) {
  Metrics metrics;
  metrics.request_done(kFruit, answered(milliseconds(3)));
  metrics.request_done(kFruit, answered(milliseconds(4)));
  metrics.request_done({.model = "fruit", .version = "2", .dialect = "v2"}, answered(milliseconds(4)));
  metrics.request_done({.model = "fruit", .version = "1", .dialect = "ultralytics"},
                       answered(milliseconds(4)));
  const std::string text = metrics.render({});
  EXPECT_THAT(text, HasSubstr("# TYPE bascule_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_requests_total{dialect="v2",model="fruit",version="1"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_requests_total{dialect="v2",model="fruit",version="2"} 1)"));
  EXPECT_THAT(text,
              HasSubstr(R"(bascule_requests_total{dialect="ultralytics",model="fruit",version="1"} 1)"));
}

TEST(Metrics, PutsDurationsIntoBucketsOfSeconds) {
  Metrics metrics;
  metrics.request_done(kFruit, answered(microseconds(90)));
  metrics.request_done(kFruit, answered(microseconds(100)));  // a bound belongs to its bucket
  metrics.request_done(kFruit, answered(microseconds(120)));
  metrics.request_done(kFruit, answered(std::chrono::seconds(61)));
  const std::string text = metrics.render({});
  EXPECT_THAT(text, HasSubstr("# TYPE bascule_request_seconds histogram\n"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(bascule_request_seconds_bucket{dialect="v2",model="fruit",version="1",le="0.0001"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(version="1",le="0.00015"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(version="1",le="60"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(version="1",le="+Inf"} 4)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_request_seconds_count{dialect="v2",model="fruit",version="1"} 4)"));
  EXPECT_THAT(text,
              HasSubstr(R"(bascule_request_seconds_sum{dialect="v2",model="fruit",version="1"} 61.00031)"));
}

TEST(Metrics, KeepsTheStagesApart) {
  Metrics metrics;
  metrics.request_done(kFruit, {.request = milliseconds(20),
                                .queue = microseconds(30),
                                .prepare = milliseconds(3),
                                .run = milliseconds(16),
                                .finish = microseconds(400),
                                .rows = 1,
                                .at = kThen});
  const std::string text = metrics.render({});
  const auto line = [](std::string_view kind, std::string_view stage, std::string_view rest) {
    return "bascule_stage_seconds_" + std::string(kind) + R"({dialect="v2",model="fruit",stage=")" +
           std::string(stage) + R"(",version="1")" + std::string(rest);
  };
  EXPECT_THAT(text, HasSubstr(line("bucket", "queue", R"(,le="2e-05"} 0)")));
  EXPECT_THAT(text, HasSubstr(line("bucket", "queue", R"(,le="5e-05"} 1)")));
  EXPECT_THAT(text, HasSubstr(line("sum", "prepare", "} 0.003")));
  EXPECT_THAT(text, HasSubstr(line("sum", "run", "} 0.016")));
  EXPECT_THAT(text, HasSubstr(line("sum", "finish", "} 0.0004")));
}

TEST(Metrics, CountsErrorsByCodeAndReason) {
  Metrics metrics;
  const Error wrong = invalid_argument("No.", Reason::kShapeMismatch);
  metrics.request_failed(kFruit, wrong, milliseconds(1), kThen);
  metrics.request_failed(kFruit, wrong, milliseconds(1), kThen);
  metrics.request_refused({.model = "", .version = "", .dialect = "http"},
                          not_found("Nothing here.", Reason::kUnknownRoute));
  const std::string text = metrics.render({});
  EXPECT_THAT(text, HasSubstr("bascule_request_errors_total{code=\"invalid_argument\",dialect=\"v2\","
                              "model=\"fruit\",reason=\"shape_mismatch\",version=\"1\"} 2"));
  EXPECT_THAT(text, HasSubstr("bascule_request_errors_total{code=\"not_found\",dialect=\"http\","
                              "model=\"\",reason=\"unknown_route\",version=\"\"} 1"));
}

TEST(Metrics, EscapesLabelValues) {
  Metrics metrics;
  metrics.request_done({.model = "a\"b\\c\nd", .version = "1", .dialect = "v2"}, answered(microseconds(1)));
  const std::string text = metrics.render({});
  EXPECT_THAT(text, HasSubstr(R"(model="a\"b\\c\nd",version="1"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("c\nd")));
}

TEST(Process, ItsOwnMemoryGrowsWithWhatIsTouched) {
  const std::uint64_t before = private_bytes();
  EXPECT_GT(before, 0U);
  std::vector<char> touched(64U << 20U, 'x');
  EXPECT_GT(private_bytes(), before + (48U << 20U)) << touched[1];
}

TEST(Metrics, ShowsModelsLoadsAndBuild) {
  Metrics metrics;
  metrics.load_done("a", true);
  metrics.load_done("b", false);
  metrics.set_build_info("1.2.3");
  metrics.evicted("a");
  const std::string text = metrics.render(
      {{.name = "a", .version = "1", .state = "ready", .file_bytes = 123, .memory_bytes = 456, .waiting = 7},
       {.name = "b", .version = "1", .state = "failed"},
       {.name = "c", .version = "1", .state = "unloaded"}});
  EXPECT_THAT(text, HasSubstr(R"(bascule_models{state="unloaded"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_model_memory_bytes{model="a",version="1"} 456)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_model_evictions_total{model="a"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_model_evictions_total{model="b"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_queue_depth{model="a",version="1"} 7)"));
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_pending_request_count{model="a",version="1"} 7)"));
  EXPECT_THAT(text, Not(HasSubstr(R"(nv_inference_pending_request_count{model="b")")));
  EXPECT_THAT(text, HasSubstr(R"(bascule_models{state="ready"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_models{state="failed"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_models{state="loading"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_model_file_bytes{model="a",version="1"} 123)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_model_loads_total{model="a"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_model_load_failures_total{model="a"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_model_load_failures_total{model="b"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_build_info{version="1.2.3"} 1)"));
}

TEST(Metrics, ShowsWhatApplicationsDo) {
  EXPECT_THAT(Metrics().render({}), Not(HasSubstr("bascule_application")));
  const std::string text = Metrics().render({}, {{.name = "line",
                                                  .state = "waiting",
                                                  .frames = 7,
                                                  .dropped = 2,
                                                  .reconnects = 3,
                                                  .inference = std::chrono::milliseconds(1500),
                                                  .each_rule = {{.name = "scratch",
                                                                 .runs = 12,
                                                                 .events = 4,
                                                                 .failures = 1,
                                                                 .took = std::chrono::milliseconds(250)},
                                                                {.name = "other"}},
                                                  .each_sink = {{.name = "alarm",
                                                                 .delivered = 5,
                                                                 .failed = 6,
                                                                 .refused = 7,
                                                                 .dropped = 8,
                                                                 .waiting = 9,
                                                                 .oldest = std::chrono::seconds(90)}}}});
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_state{app="line",state="waiting"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_frames_total{app="line"} 7)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_dropped_frames_total{app="line"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_reconnects_total{app="line"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_inference_seconds_total{app="line"} 1.5)"));
  const std::string scratch = R"({app="line",rule="scratch"} )";
  EXPECT_THAT(text, HasSubstr("bascule_application_rule_runs_total" + scratch + "12"));
  EXPECT_THAT(text, HasSubstr("bascule_application_rule_seconds_total" + scratch + "0.25"));
  EXPECT_THAT(text, HasSubstr("bascule_application_rule_events_total" + scratch + "4"));
  EXPECT_THAT(text, HasSubstr("bascule_application_rule_failures_total" + scratch + "1"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_rule_runs_total{app="line",rule="other"} 0)"));
  const std::string deliveries = R"(bascule_application_deliveries_total{app="line",outcome=)";
  EXPECT_THAT(text, HasSubstr(deliveries + R"("delivered",sink="alarm"} 5)"));
  EXPECT_THAT(text, HasSubstr(deliveries + R"("failed",sink="alarm"} 6)"));
  EXPECT_THAT(text, HasSubstr(deliveries + R"("refused",sink="alarm"} 7)"));
  EXPECT_THAT(text, HasSubstr(deliveries + R"("dropped",sink="alarm"} 8)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_waiting_events{app="line",sink="alarm"} 9)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_application_oldest_waiting_seconds{app="line",sink="alarm"} 90)"));
}

// The value of a series without labels.
double value_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
}

TEST(Metrics, ShowsTheProcess) {
  const std::string text = Metrics().render({});
  EXPECT_GT(value_of(text, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(value_of(text, "process_virtual_memory_bytes"), value_of(text, "process_resident_memory_bytes"));
  EXPECT_GE(value_of(text, "process_open_fds"), 3);
  EXPECT_GT(value_of(text, "process_max_fds"), value_of(text, "process_open_fds"));
  EXPECT_GE(value_of(text, "process_cpu_seconds_total"), 0);
  const auto year_2024 = 1.7e9;
  EXPECT_GT(value_of(text, "process_start_time_seconds"), year_2024);
}

TEST(Metrics, LosesNothingBetweenThreads) {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&metrics] {
        for (int i = 0; i < 1000; ++i) {
          const std::string model = "m" + std::to_string(i % 100);
          metrics.request_done({.model = model, .version = "1", .dialect = "v2"}, answered(microseconds(i)));
          metrics.request_failed({.model = "m", .version = "1", .dialect = "v2"}, internal_error("Ours."),
                                 microseconds(i), kThen);
        }
      });
    }
  }
  const std::string text = metrics.render({});
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(text, HasSubstr("bascule_requests_total{dialect=\"v2\",model=\"m" + std::to_string(i) +
                                "\",version=\"1\"} 40\n"));
  }
  EXPECT_THAT(text, HasSubstr("model=\"m\",reason=\"none\",version=\"1\"} 4000"));
}

}  // namespace
}  // namespace bascule::metrics

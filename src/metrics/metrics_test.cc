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

TEST(Metrics, CountsAnsweredRequestsByModelAndDialect) {
  Metrics metrics;
  metrics.request_done("fruit", "v2", milliseconds(3));
  metrics.request_done("fruit", "v2", milliseconds(4));
  metrics.request_done("fruit", "ultralytics", milliseconds(4));
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("# TYPE bascule_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_requests_total{dialect="v2",model="fruit"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_requests_total{dialect="ultralytics",model="fruit"} 1)"));
}

TEST(Metrics, PutsDurationsIntoBucketsOfSeconds) {
  Metrics metrics;
  metrics.request_done("m", "v2", microseconds(90));
  metrics.request_done("m", "v2", microseconds(120));
  metrics.request_done("m", "v2", std::chrono::seconds(61));
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("# TYPE bascule_request_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_request_seconds_bucket{dialect="v2",model="m",le="0.0001"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(le="0.00015"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(le="60"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(le="+Inf"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_request_seconds_count{dialect="v2",model="m"} 3)"));
}

TEST(Metrics, CountsErrorsByCodeAndReason) {
  Metrics metrics;
  metrics.request_failed("m", "v2", invalid_argument("No.", Reason::kShapeMismatch));
  metrics.request_failed("m", "v2", invalid_argument("Not again.", Reason::kShapeMismatch));
  metrics.request_failed("", "http", not_found("Nothing here.", Reason::kUnknownRoute));
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr("bascule_request_errors_total{code=\"invalid_argument\",dialect=\"v2\","
                              "model=\"m\",reason=\"shape_mismatch\"} 2"));
  EXPECT_THAT(text, HasSubstr("bascule_request_errors_total{code=\"not_found\",dialect=\"http\","
                              "model=\"\",reason=\"unknown_route\"} 1"));
}

TEST(Metrics, EscapesLabelValues) {
  Metrics metrics;
  metrics.request_done("a\"b\\c\nd", "v2", microseconds(1));
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr(R"(model="a\"b\\c\nd"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("c\nd")));
}

TEST(Metrics, ShowsModelsAndBuild) {
  Metrics metrics;
  metrics.set_models("ready", 3);
  metrics.set_models("ready", 2);
  metrics.set_build_info("1.2.3");
  const std::string text = metrics.render();
  EXPECT_THAT(text, HasSubstr(R"(bascule_models{state="ready"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(bascule_build_info{version="1.2.3"} 1)"));
}

TEST(Metrics, LosesNothingBetweenThreads) {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&metrics] {
        for (int i = 0; i < 1000; ++i) {
          metrics.request_done("m" + std::to_string(i % 100), "v2", microseconds(i));
          metrics.request_failed("m", "v2", internal_error("Ours."));
        }
      });
    }
  }
  const std::string text = metrics.render();
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(
        text, HasSubstr("bascule_requests_total{dialect=\"v2\",model=\"m" + std::to_string(i) + "\"} 40\n"));
  }
  EXPECT_THAT(text, HasSubstr("model=\"m\",reason=\"none\"} 4000"));
}

}  // namespace
}  // namespace bascule::metrics

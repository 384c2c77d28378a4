#include "metrics/request_stats.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::metrics {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimePoint kThen = TimePoint{} + std::chrono::hours(1);
constexpr Asked kAsked{.model = "m", .version = "1", .dialect = "v2"};

Answered rows(std::uint64_t count, Duration run) {
  return {.request = run + milliseconds(2),
          .queue = milliseconds(1),
          .prepare = microseconds(10),
          .run = run,
          .finish = microseconds(20),
          .rows = count,
          .at = kThen};
}

TEST(TritonNames, SayWhatTritonSays) {
  Metrics metrics;
  metrics.request_done(kAsked, rows(4, milliseconds(10)));
  metrics.request_done({.model = "m", .version = "1", .dialect = "ultralytics"}, rows(1, milliseconds(5)));
  const std::string text = metrics.render({});
  const auto is = [](std::string_view name, std::string_view value) {
    return HasSubstr("\n" + std::string(name) + R"({model="m",version="1"} )" + std::string(value) + "\n");
  };
  EXPECT_THAT(text, is("nv_inference_request_success", "2"));
  EXPECT_THAT(text, is("nv_inference_count", "5"));
  EXPECT_THAT(text, is("nv_inference_exec_count", "2"));
  EXPECT_THAT(text, is("nv_inference_request_duration_us", "19000"));
  EXPECT_THAT(text, is("nv_inference_queue_duration_us", "2000"));
  EXPECT_THAT(text, is("nv_inference_compute_input_duration_us", "20"));
  EXPECT_THAT(text, is("nv_inference_compute_infer_duration_us", "15000"));
  EXPECT_THAT(text, is("nv_inference_compute_output_duration_us", "40"));
  EXPECT_THAT(text, HasSubstr("# TYPE nv_inference_request_success counter\n"));
}

TEST(TritonNames, KeepFailuresApartByReason) {
  Metrics metrics;
  const auto fail = [&](Code code) {
    metrics.request_failed(kAsked, {.code = code, .message = "No."}, milliseconds(1), kThen);
  };
  fail(Code::kResourceExhausted);
  fail(Code::kDeadlineExceeded);
  fail(Code::kCancelled);
  fail(Code::kInternal);
  fail(Code::kInvalidArgument);
  fail(Code::kInvalidArgument);
  fail(Code::kInvalidArgument);
  const std::string text = metrics.render({});
  const auto is = [](std::string_view reason, std::string_view value) {
    return HasSubstr(R"(nv_inference_request_failure{model="m",reason=")" + std::string(reason) +
                     R"(",version="1"} )" + std::string(value) + "\n");
  };
  EXPECT_THAT(text, is("REJECTED", "2"));
  EXPECT_THAT(text, is("CANCELED", "1"));
  EXPECT_THAT(text, is("BACKEND", "1"));
  EXPECT_THAT(text, is("OTHER", "3"));
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_request_success{model="m",version="1"} 0)"));
}

TEST(TritonNames, ShowTheZerosOfAVersionThatIsReady) {
  const std::string text = Metrics().render({{.name = "new", .version = "7", .state = "ready"},
                                             {.name = "broken", .version = "1", .state = "failed"}});
  EXPECT_THAT(text, HasSubstr(R"(nv_inference_count{model="new",version="7"} 0)"));
  EXPECT_THAT(text,
              HasSubstr(R"(nv_inference_request_failure{model="new",reason="REJECTED",version="7"} 0)"));
  EXPECT_THAT(text, Not(HasSubstr(R"(nv_inference_count{model="broken")")));
}

TEST(RequestStats, SumsAllDialectsOfAVersion) {
  RequestStats stats;
  stats.done(kAsked, rows(4, milliseconds(10)));
  stats.done(kAsked, rows(4, milliseconds(20)));
  stats.done({.model = "m", .version = "1", .dialect = "cli"}, rows(1, milliseconds(3)));
  stats.done({.model = "m", .version = "2", .dialect = "v2"}, rows(9, milliseconds(9)));
  stats.failed(kAsked, internal_error("Ours."), milliseconds(7), kThen + milliseconds(5));
  const ModelTotals totals = stats.totals("m", "1");
  EXPECT_EQ(totals.inferences, 9U);
  EXPECT_EQ(totals.executions, 3U);
  EXPECT_EQ(totals.success.count, 3U);
  EXPECT_EQ(totals.success.time, milliseconds(39));
  EXPECT_EQ(totals.run.time, milliseconds(33));
  EXPECT_EQ(totals.failed.count, 1U);
  EXPECT_EQ(totals.failed.time, milliseconds(7));
  EXPECT_EQ(totals.last, kThen + milliseconds(5));
  ASSERT_EQ(totals.batches.size(), 2U);
  EXPECT_EQ(totals.batches.at(4).run.count, 2U);
  EXPECT_EQ(totals.batches.at(4).run.time, milliseconds(30));
  EXPECT_EQ(totals.batches.at(1).finish.time, microseconds(20));
}

TEST(RequestStats, BoundsTheTableOfBatchSizes) {
  RequestStats stats;
  for (std::uint64_t count = 1; count <= 5000; ++count) stats.done(kAsked, rows(count, milliseconds(1)));
  stats.done(kAsked, rows(7, milliseconds(1)));
  const ModelTotals totals = stats.totals("m", "1");
  EXPECT_EQ(totals.executions, 5001U);
  EXPECT_LE(totals.batches.size(), 256U);
  EXPECT_EQ(totals.batches.at(7).run.count, 2U);
}

TEST(RequestStats, ARunThatRequestsSharedIsOneRun) {
  RequestStats stats;
  for (int i = 0; i < 4; ++i) {
    stats.done({.model = "m", .version = "1", .dialect = "v2"},
               {.rows = 2, .run_rows = 8, .counts_run = i == 0, .at = {}});
  }
  const ModelTotals totals = stats.totals("m", "1");
  EXPECT_EQ(totals.executions, 1U);
  EXPECT_EQ(totals.inferences, 8U);
  ASSERT_EQ(totals.batches.size(), 1U);
  EXPECT_EQ(totals.batches.begin()->first, 8U);
}

}  // namespace
}  // namespace bascule::metrics

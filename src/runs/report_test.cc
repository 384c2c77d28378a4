#include "runs/report.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runs/report_charts.h"
#include "runs/report_state.h"
#include "runs/test_support.h"
#include "runs/thumbnail.h"

namespace bascule::runs {
namespace {

using testing::HasSubstr;
using testing::Not;

Outcome picture(const std::string& key, const std::string& name, double confidence) {
  return {.key = key,
          .id = {},
          .answer = R"("shape":[100,200],"results":[{"name":")" + name + R"(","class":1,"confidence":)" +
                    std::to_string(confidence) + R"(,"box":{"x1":1.0,"y1":2.0,"x2":50.0,"y2":60.0}}])",
          .good = true};
}

ReportState filled(int count) {
  ReportState state(true);
  for (int i = 0; i < count; ++i) {
    state.add(picture("p" + std::to_string(i), i % 3 == 0 ? "<cat>" : "dog", 0.3 + 0.6 * (i % 10) / 10));
  }
  return state;
}

TEST(ReportState, CountsClassesAndConfidences) {
  const ReportState state = filled(300);
  EXPECT_EQ(state.names().at("<cat>").count, 100U);
  EXPECT_EQ(state.names().at("dog").count, 200U);
  EXPECT_NEAR(state.names().at("dog").sum / 200, 0.57, 0.03);
  EXPECT_EQ(state.bins()[6], 30U);
  EXPECT_EQ(state.worst().size(), ReportState::kWorst);
  EXPECT_DOUBLE_EQ(state.worst()[0].confidence, 0.3);
  EXPECT_EQ(state.samples().size(), ReportState::kSamples);
}

TEST(ReportState, ComesBackAsItWasAndGoesOnAlike) {
  const std::string before = filled(150).saved();
  ReportState again(true);
  ASSERT_TRUE(again.restore(before));
  EXPECT_EQ(again.saved(), before);
  for (int i = 150; i < 300; ++i) {
    again.add(picture("p" + std::to_string(i), i % 3 == 0 ? "<cat>" : "dog", 0.3 + 0.6 * (i % 10) / 10));
  }
  EXPECT_EQ(again.saved(), filled(300).saved());
  for (const char* broken : {"x", "[]", "[\"name\",1]", "[\"bin\",99,1]", "[\"worst\",1,2"}) {
    EXPECT_FALSE(ReportState(true).restore(broken)) << broken;
  }
}

TEST(ReportState, DoesNotGrowWithTheInputs) {
  ReportState state(false);
  for (int i = 0; i < 20'000; ++i) {
    state.add({.key = std::to_string(i),
               .id = {},
               .answer = "\"label\":\"" + std::to_string(i) + "\"",
               .good = true});
  }
  EXPECT_LE(state.names().size(), ReportState::kMostNames + 1);
  EXPECT_LE(state.by_order().steps.size(), Timeline::kMost);
  EXPECT_LT(state.saved().size(), 100'000U);
}

TEST(Timeline, MakesItsStepsWiderAndLosesNothing) {
  Timeline line;
  for (std::int64_t at = -1000; at < 100'000; at += 7) line.add(at, "a");
  std::uint64_t sum = 0;
  for (const auto& [step, counts] : line.steps) sum += counts.at("a");
  EXPECT_EQ(sum, 14'429U);
  EXPECT_LE(line.steps.size(), Timeline::kMost);
  EXPECT_GE(line.steps.size(), Timeline::kMost / 2 - 1);
}

TEST(Report, IsOnePageInWhichInputsAreEscaped) {
  ReportState state = filled(100);
  state.add(picture("<script>alert(1)</script>", "dog", 0.01));
  const std::string html = report_html(
      state, {.model = "m", .inputs = "p/", .result = "r.jsonl", .errors = "e", .good = 101, .bad = 2},
      [](const Kept&) { return std::vector<std::byte>(3); });
  EXPECT_THAT(html, HasSubstr("<svg"));
  EXPECT_THAT(html, HasSubstr("data:image/jpeg;base64,AAAA"));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("&lt;cat&gt;"));
  for (const char* outside : {"http://", "https://", "src=\"/", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(Report, TellsTimesInTheCalendar) {
  EXPECT_EQ(time_text(0), "1970-01-01 00:00");
  EXPECT_EQ(time_text(1'709'208'000), "2024-02-29 12:00");
}

TEST(Thumbnail, IsASmallPictureWithBoxes) {
  const std::string file = BASCULE_SOURCE_DIR "/examples/checkout/pictures/fruit_101_0008.jpg";
  const std::string answer =
      R"("shape":[960,1280],"results":[{"name":"apple","class":0,"confidence":0.9,"box":{"x1":100.0,"y1":100.0,"x2":600.0,"y2":500.0}}])";
  const auto plain = thumbnail(file, "", 320, 100'000'000);
  const auto drawn = thumbnail(file, answer, 320, 100'000'000);
  ASSERT_TRUE(plain) << plain.error().message;
  ASSERT_TRUE(drawn) << drawn.error().message;
  EXPECT_NE(*plain, *drawn);
  EXPECT_LT(drawn->size(), 60'000U);
  EXPECT_FALSE(thumbnail("none.jpg", answer, 320, 1000));
}

}  // namespace
}  // namespace bascule::runs

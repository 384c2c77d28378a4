#include "tracing/tracer.h"

#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace bascule::tracing {
namespace {

using std::chrono::seconds;

const std::string kRecorded = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const std::string kNotRecorded = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

int recorded(double ratio, int of) {
  Tracer tracer({.ratio = ratio, .seed = 1});
  int count = 0;
  for (int i = 0; i < of; ++i) count += tracer.sample("", "") ? 1 : 0;
  return count;
}

TEST(Tracer, RecordsTheRatioOfTracesThatBeginHere) {
  EXPECT_EQ(recorded(0, 10'000), 0);
  EXPECT_EQ(recorded(1, 10'000), 10'000);
  EXPECT_NEAR(recorded(0.01, 100'000), 1000, 150);
  EXPECT_NEAR(recorded(0.5, 100'000), 50'000, 1000);
}

TEST(Tracer, GoesByTheCallerWhateverTheRatio) {
  Tracer none({.ratio = 0});
  Tracer all({.ratio = 1});
  EXPECT_FALSE(all.sample(kNotRecorded, "a=1"));
  const auto context = none.sample(kRecorded, "a=1");
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace, parse_traceparent(kRecorded)->trace);
  EXPECT_EQ(context->parent, parse_traceparent(kRecorded)->span);
  EXPECT_NE(context->span, *context->parent);
  EXPECT_EQ(context->state, "a=1");
  EXPECT_FALSE(none.sample("nonsense", "a=1"));
}

TEST(Tracer, GivesEveryRequestIdsOfItsOwn) {
  Tracer one({.seed = 1});
  Tracer other({.seed = 2});
  std::set<TraceId> traces;
  std::set<SpanId> spans;
  for (int i = 0; i < 1000; ++i) {
    for (Tracer* const tracer : {&one, &other}) {
      const auto context = tracer->sample("", "ignored=1");
      ASSERT_TRUE(context);
      EXPECT_FALSE(context->parent);
      EXPECT_EQ(context->state, "");
      traces.insert(context->trace);
      spans.insert(context->span);
    }
  }
  EXPECT_EQ(traces.size(), 2000U);
  EXPECT_EQ(spans.size(), 2000U);
}

TEST(Tracer, DropsAndCountsWhatFindsNoRoom) {
  std::size_t dropped = 0;
  Tracer tracer(
      {.max_queue = 3, .batch = 2, .delay = {}, .dropped = [&](std::size_t spans) { dropped += spans; }});
  for (int i = 0; i < 5; ++i) tracer.add({.status = i});
  EXPECT_EQ(dropped, 2U);  // one span each: none was answered
  TracedRequest answered{.answered_by = std::make_shared<content::ModelInfo>()};
  answered.stages.begun.run = TimePoint(seconds(1));
  tracer.add(answered);
  EXPECT_EQ(dropped, 4U);
  const auto first = tracer.take();
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].status, 0);
  EXPECT_EQ(first[1].status, 1);
  EXPECT_EQ(tracer.take().size(), 1U);
  tracer.add({.status = 6});  // there is room again
  EXPECT_EQ(tracer.take().size(), 1U);
}

TEST(Tracer, WaitsForABatchOrTheDelay) {
  Tracer tracer({.batch = 2, .delay = seconds(60)});
  std::jthread later([&] {
    tracer.add({.status = 1});
    tracer.add({.status = 2});
  });
  EXPECT_EQ(tracer.take().size(), 2U);  // the delay is not waited for
  Tracer hurried({.batch = 100, .delay = std::chrono::milliseconds(1)});
  hurried.add({});
  EXPECT_EQ(hurried.take().size(), 1U);
}

TEST(Tracer, GivesWhatIsLeftWhenItIsStopped) {
  std::size_t dropped = 0;
  Tracer tracer({.batch = 2, .delay = seconds(60), .dropped = [&](std::size_t spans) { dropped += spans; }});
  for (int i = 0; i < 3; ++i) tracer.add({});
  tracer.stop();
  tracer.add({});
  EXPECT_EQ(dropped, 1U);
  EXPECT_EQ(tracer.take().size(), 2U);
  EXPECT_EQ(tracer.take().size(), 1U);
  EXPECT_TRUE(tracer.take().empty());
}

}  // namespace
}  // namespace bascule::tracing

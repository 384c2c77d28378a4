#include "batching/batch_policy.h"

#include <string>

#include <gtest/gtest.h>

namespace bascule::batching {
namespace {

using Kind = Action::Kind;
using std::chrono::microseconds;
using Places = std::vector<std::size_t>;

constexpr TimePoint at(int us) { return TimePoint{} + microseconds(us); }

struct Case {
  std::string name;
  std::vector<Waiting> queue;
  BatchPolicy policy;
  int now = 0;
  Kind kind = Kind::kNothing;
  Places take;
  int until = 0;
};

class Decide : public testing::TestWithParam<Case> {};

TEST_P(Decide, AsTheTableSays) {
  const Case& c = GetParam();
  const Action action = decide(c.queue, c.policy, at(c.now));
  EXPECT_EQ(action.kind, c.kind);
  EXPECT_EQ(action.take, c.take);
  if (c.kind == Kind::kWait) {
    EXPECT_EQ(action.until, at(c.until));
  }
}

const Waiting kA{.key = "a", .rows = 1, .since = at(10)};
const Waiting kB{.key = "b", .rows = 1, .since = at(20)};
const Waiting kA3{.key = "a", .rows = 3, .since = at(20)};
const Waiting kLone{.key = "", .rows = 1, .since = at(10)};

INSTANTIATE_TEST_SUITE_P(
    Table, Decide,
    testing::Values(
        Case{"NothingWaits", {}, {.max_batch_size = 8}, 10, Kind::kNothing, {}},
        Case{"OneRunsAtOnceWithoutADelay", {kA}, {.max_batch_size = 8}, 10, Kind::kRun, {0}},
        Case{"WhatHasGatheredRunsTogether", {kA, kA, kA}, {.max_batch_size = 8}, 10, Kind::kRun, {0, 1, 2}},
        Case{"NoMoreThanTheLimit", {kA, kA, kA}, {.max_batch_size = 2}, 10, Kind::kRun, {0, 1}},
        Case{"WithoutBatchingOneByOne", {kA, kA}, {.max_batch_size = 1}, 10, Kind::kRun, {0}},
        Case{"RowsCount", {kA, kA3, kA}, {.max_batch_size = 4}, 10, Kind::kRun, {0, 1}},
        Case{"WhatIsTooLargeNowIsSteppedOver",
             {kA, kA, kA3, kA},
             {.max_batch_size = 4},
             10,
             Kind::kRun,
             {0, 1, 3}},
        Case{"LargerThanTheLimitRunsAlone", {kA3, kA}, {.max_batch_size = 2}, 10, Kind::kRun, {0}},
        Case{"OnlyWhatFitsJoins", {kA, kB, kA}, {.max_batch_size = 8}, 10, Kind::kRun, {0, 2}},
        Case{"WithoutAKeyAlone", {kLone, kLone}, {.max_batch_size = 8}, 10, Kind::kRun, {0}},
        Case{"ADelayWaitsForAFullBatch",
             {kA, kA},
             {.max_batch_size = 3, .max_queue_delay = microseconds(50)},
             30,
             Kind::kWait,
             {},
             60},
        Case{"TheOldestEndsTheDelay",
             {kA, kA},
             {.max_batch_size = 3, .max_queue_delay = microseconds(50)},
             60,
             Kind::kRun,
             {0, 1}},
        Case{"AFullBatchDoesNotWait",
             {kA, kA, kA},
             {.max_batch_size = 3, .max_queue_delay = microseconds(50)},
             11,
             Kind::kRun,
             {0, 1, 2}},
        Case{"AnotherShapeEndsTheDelay",
             {kA, kB},
             {.max_batch_size = 3, .max_queue_delay = microseconds(50)},
             30,
             Kind::kRun,
             {0}},
        Case{"WhatCannotJoinDoesNotWait",
             {kLone},
             {.max_batch_size = 3, .max_queue_delay = microseconds(50)},
             11,
             Kind::kRun,
             {0}},
        Case{"APreferredSizeRunsAtOnce",
             {kA, kA, kA},
             {.max_batch_size = 8, .preferred_batch_size = {2, 4}, .max_queue_delay = microseconds(50)},
             11,
             Kind::kRun,
             {0, 1}},
        Case{"TheLargestPreferredSize",
             {kA, kA, kA, kA, kA},
             {.max_batch_size = 8, .preferred_batch_size = {2, 4}},
             11,
             Kind::kRun,
             {0, 1, 2, 3}},
        Case{"NoPreferredSizeYetWaits",
             {kA},
             {.max_batch_size = 8, .preferred_batch_size = {2, 4}, .max_queue_delay = microseconds(50)},
             11,
             Kind::kWait,
             {},
             60},
        Case{"OnceTheDelayIsOverAllThatFitsRuns",
             {kA, kA, kA},
             {.max_batch_size = 8, .preferred_batch_size = {2, 4}, .max_queue_delay = microseconds(50)},
             60,
             Kind::kRun,
             {0, 1, 2}},
        Case{"APreferredSizeBeyondTheLimitIsTheLimit",
             {kA, kA, kA},
             {.max_batch_size = 3, .preferred_batch_size = {4}, .max_queue_delay = microseconds(50)},
             11,
             Kind::kRun,
             {0, 1, 2}},
        Case{"BeyondEveryPreferredSizeRuns",
             {kA3, kA3},
             {.max_batch_size = 8, .preferred_batch_size = {2, 4}, .max_queue_delay = microseconds(50)},
             21,
             Kind::kRun,
             {0, 1}}),
    [](const testing::TestParamInfo<Case>& row) { return row.param.name; });

}  // namespace
}  // namespace bascule::batching

#include "batching/admission.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace bascule::batching {
namespace {

using std::chrono::milliseconds;

struct Case {
  std::string name;
  QueueLoad load;
  AdmissionLimits limits;
  bool admitted = true;
  bool full = false;
  Duration retry{};
};

class Admit : public testing::TestWithParam<Case> {};

TEST_P(Admit, AsTheTableSays) {
  const Case& c = GetParam();
  const auto refusal = admit(c.load, c.limits);
  ASSERT_EQ(!refusal.has_value(), c.admitted);
  if (!refusal) return;
  EXPECT_EQ(refusal->full, c.full);
  EXPECT_EQ(refusal->retry_after, c.retry);
}

constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max();

INSTANTIATE_TEST_SUITE_P(
    Table, Admit,
    testing::Values(
        Case{"NothingWaits", {.waiting = 0}, {}},
        Case{"IdleInstancesTakeEverything",
             {.waiting = 0, .idle_instances = 1, .per_request = milliseconds(60'000)},
             {}},
        Case{"BelowTheLength", {.waiting = 9}, {.max_queue_size = 10}},
        Case{"AtTheLength",
             {.waiting = 10, .per_request = milliseconds(5)},
             {.max_queue_size = 10},
             false,
             true,
             milliseconds(50)},
        Case{"AtTheLengthBeforeAnyRunWasMeasured",
             {.waiting = 10},
             {.max_queue_size = 10},
             false,
             true,
             milliseconds(1)},
        Case{"NoLength", {.waiting = 1'000'000}, {.max_queue_size = 0}},
        Case{"WithinTheBudget", {.waiting = 17, .per_request = milliseconds(50)}, {}},
        Case{"OnTheEdgeIsTooMuch",
             {.waiting = 18, .per_request = milliseconds(50)},
             {},
             false,
             false,
             milliseconds(900)},
        Case{"BeyondTheBudget",
             {.waiting = 21, .per_request = milliseconds(50)},
             {},
             false,
             false,
             milliseconds(1050)},
        Case{"InstancesShareTheWork", {.waiting = 34, .instances = 2, .per_request = milliseconds(50)}, {}},
        Case{"InstancesShareTheWorkUpToTheBudget",
             {.waiting = 42, .instances = 2, .per_request = milliseconds(50)},
             {},
             false,
             false,
             milliseconds(1050)},
        Case{"WhatRunsNowCountsWhole",
             {.waiting = 20, .running = 1, .per_request = milliseconds(50)},
             {},
             false,
             false,
             milliseconds(1050)},
        Case{"WhatRunsNowIsSharedAmongTheInstances",
             {.waiting = 32, .instances = 2, .running = 2, .per_request = milliseconds(50)},
             {}},
        Case{"OneMayWaitForARunLongerThanTheBudget", {.running = 1, .per_request = milliseconds(5000)}, {}},
        Case{"ButNotTwo",
             {.waiting = 1, .running = 1, .per_request = milliseconds(5000)},
             {},
             false,
             false,
             milliseconds(10'000)},
        Case{"WhatIsServedAfterItDoesNotCount",
             {.waiting = 40, .behind = 23, .per_request = milliseconds(50)},
             {}},
        Case{"WhatIsServedBeforeItDoes",
             {.waiting = 40, .behind = 19, .per_request = milliseconds(50)},
             {},
             false,
             false,
             milliseconds(1050)},
        Case{"AFullQueueRefusesTheNewcomerWhateverItsPriority",
             {.waiting = 10, .behind = 10, .per_request = milliseconds(5)},
             {.max_queue_size = 10},
             false,
             true,
             milliseconds(1)},
        Case{"WithoutABudgetOnlyTheLengthCounts",
             {.waiting = 900, .per_request = milliseconds(50)},
             {.queue_budget = {}}},
        Case{"HugeNumbersDoNotWrapAround",
             {.waiting = kHuge, .per_request = milliseconds(50)},
             {.max_queue_size = 0},
             false,
             false,
             std::chrono::hours(1)}),
    [](const testing::TestParamInfo<Case>& row) { return row.param.name; });

}  // namespace
}  // namespace bascule::batching

#include "catalog/wide_runs.h"

#include <chrono>
#include <memory>

#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"

namespace bascule::catalog {
namespace {

using std::chrono::milliseconds;

WideRuns::Model model() {
  backend::FakeBackend backend;
  backend.add("m", {});
  return *backend.load("m.fake", {});
}

class Wide : public testing::Test {
 protected:
  // How many of the next `count` lone runs are wide ones, where each takes so long.
  int wide_of(const WideRuns& runs, int count, Duration usual, Duration wide) const {
    int out = 0;
    for (int i = 0; i < count; ++i) {
      const bool is_wide = runs.choose(usual_) != usual_;
      runs.took(is_wide, is_wide ? wide : usual);
      if (is_wide) ++out;
    }
    return out;
  }

  const WideRuns::Model usual_ = model();
};

TEST_F(Wide, RunsAreUsualOnesUntilTheModelIsLoadedOnceMore) {
  const WideRuns runs(4, model);
  EXPECT_EQ(wide_of(runs, 20, milliseconds(10), milliseconds(5)), 0);
  EXPECT_TRUE(runs.wanted());
  EXPECT_FALSE(runs.wanted()) << "twice";
  runs.load();
  EXPECT_EQ(wide_of(runs, 8, milliseconds(10), milliseconds(5)), 4) << "by turns, whatever ran before";
}

TEST_F(Wide, WhatCannotBeLoadedIsNotAskedAgain) {
  const WideRuns runs(4, [] { return nullptr; });
  EXPECT_TRUE(runs.wanted());
  runs.load();
  EXPECT_EQ(wide_of(runs, 20, milliseconds(10), milliseconds(5)), 0);
  EXPECT_FALSE(runs.wanted());
}

TEST_F(Wide, BothWaysAreTriedByTurns) {
  const WideRuns runs(4, model);
  runs.load();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(wide_of(runs, 2, milliseconds(10), milliseconds(5)), 1) << i;
}

TEST_F(Wide, TheFasterOneStays) {
  const WideRuns gains(4, model);
  gains.load();
  EXPECT_EQ(wide_of(gains, 8 + 100, milliseconds(10), milliseconds(8)), 4 + 100);
  const WideRuns loses(4, model);
  loses.load();
  EXPECT_EQ(wide_of(loses, 8 + 100, milliseconds(10), milliseconds(11)), 4);
}

TEST_F(Wide, WhatIsNoFasterIsFreed) {
  std::weak_ptr<const backend::Executable> freed;
  const WideRuns runs(4, [&freed] {
    auto loaded = model();
    freed = loaded;
    return loaded;
  });
  runs.load();
  EXPECT_EQ(wide_of(runs, 7, milliseconds(10), milliseconds(11)), 4);
  EXPECT_FALSE(freed.expired());
  EXPECT_EQ(wide_of(runs, 1, milliseconds(10), milliseconds(11)), 0);
  EXPECT_TRUE(freed.expired());
}

TEST_F(Wide, AllTheCoresAreNotTakenForLittle) {
  const WideRuns runs(4, model);
  runs.load();
  EXPECT_EQ(wide_of(runs, 8 + 100, milliseconds(100), milliseconds(95)), 4);
}

TEST_F(Wide, OneSlowRunDecidesNothing) {
  const WideRuns runs(4, model);
  runs.load();
  EXPECT_EQ(wide_of(runs, 1, milliseconds(10), milliseconds(500)), 1);  // whose memory is new
  EXPECT_EQ(wide_of(runs, 7 + 100, milliseconds(10), milliseconds(5)), 3 + 100);
}

}  // namespace
}  // namespace bascule::catalog

#include "applications/rule_policy.h"

#include <string>

#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

// A frame each `step` ms: 'x' where the rule holds. Gives 'E' where there was an event.
std::string play(const RulePolicy& policy, const std::string& frames, std::int64_t step = 100) {
  PolicyMemory memory;
  std::string out;
  std::int64_t time = 1'000'000;
  for (const char frame : frames) {
    out += fires(policy, memory, frame == 'x', time) ? 'E' : '.';
    time += step;
  }
  return out;
}

TEST(RulePolicy, FiresAtEveryFrameWhereNothingElseIsSaid) { EXPECT_EQ(play({}, ".xx.x"), ".EE.E"); }

TEST(RulePolicy, WaitsForThreeOfFive) {
  const RulePolicy policy{.needed = 3, .of = 5};
  EXPECT_EQ(play(policy, "xx....xx.x."), ".........E.");
  EXPECT_EQ(play(policy, "x.x.x"), "....E");
  EXPECT_EQ(play(policy, "x..x..x"), ".......");
  EXPECT_EQ(play(policy, "xxx.."), "..E..") << "only while it holds";
  EXPECT_EQ(play(policy, "xxxx.x"), "..EE.E");
}

TEST(RulePolicy, CoolsDownByTheFramesTime) {
  const RulePolicy policy{.cooldown_ms = 300};
  EXPECT_EQ(play(policy, "xxxxxxxx"), "E..E..E.");
  EXPECT_EQ(play(policy, "xxxx", 1000), "EEEE");
  EXPECT_EQ(play(policy, "x.x.x.x"), "E...E..");
}

TEST(RulePolicy, DoesBoth) {
  EXPECT_EQ(play({.needed = 2, .of = 3, .cooldown_ms = 500}, "xxxxxxxxxx"), ".E....E...");
}

TEST(RulePolicy, IsNotSilencedByAClockThatGoesBack) {
  PolicyMemory memory;
  const RulePolicy policy{.cooldown_ms = 10'000};
  EXPECT_TRUE(fires(policy, memory, true, 1'000'000));
  EXPECT_FALSE(fires(policy, memory, true, 1'000'100));
  EXPECT_TRUE(fires(policy, memory, true, 5'000));
  EXPECT_FALSE(fires(policy, memory, true, 5'100));
}

TEST(RulePolicy, RemembersABoundedNumberOfFrames) {
  PolicyMemory memory;
  for (int i = 0; i < 3000; ++i) EXPECT_TRUE(fires({.needed = 1, .of = 1'000'000}, memory, true, i));
  EXPECT_EQ(memory.held.size(), kMostFrames);
}

}  // namespace
}  // namespace bascule::applications

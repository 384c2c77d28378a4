#include "base/cpu.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include <gtest/gtest.h>

namespace bascule {
namespace {

TEST(CpuMax, RoundsUpToWholeCores) {
  EXPECT_EQ(cores_from_cpu_max("100000 100000\n"), 1U);
  EXPECT_EQ(cores_from_cpu_max("150000 100000\n"), 2U);
  EXPECT_EQ(cores_from_cpu_max("50000 100000"), 1U);
  EXPECT_EQ(cores_from_cpu_max("6400000 100000"), 64U);
}

TEST(CpuMax, MeansNoLimitWhereItSaysSoOrMakesNoSense) {
  for (const char* text : {"max 100000\n", "", "\n", "max", "100000", "100000 0", "0 100000", "-1 100000",
                           "100000 -5", "x y", "1e5 100000", "99999999999999999999 100000"}) {
    EXPECT_EQ(cores_from_cpu_max(text), 0U) << text;
  }
}

TEST(CpuMax, DoesNotOverflow) {
  EXPECT_EQ(cores_from_cpu_max("9223372036854775807 1"), 9223372036854775807U);
  EXPECT_EQ(cores_from_cpu_max("9223372036854775807 9223372036854775807"), 1U);
}

TEST(CpuBudget, IsAtLeastOneCore) { EXPECT_GE(cpu_budget(), 1U); }

TEST(YieldToOthers, IsOfTheCallingThreadAlone) {
  const int before = getpriority(PRIO_PROCESS, 0);
  int after = before;
  std::jthread([&] {
    yield_to_others();
    after = getpriority(PRIO_PROCESS, 0);
  }).join();
  EXPECT_EQ(after, std::max(before, 10));
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

}  // namespace
}  // namespace bascule

#include "base/cpu.h"

#include <chrono>
#include <string_view>

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

constexpr std::string_view kBefore = R"(cpu  30 0 0 300 0 0 0 0 0 0
cpu0 10 0 5 100 20 0 0 0 0 0
cpu1 20 0 0 200 0 0 0 0 0 0
cpu11 7 0 0 7 0 0 0 0 0 0
intr 1 2 3
)";

TEST(IdleShare, IsOfTheCoresAskedFor) {
  constexpr std::string_view kAfter = R"(cpu  99 0 0 999 0 0 0 0 0 0
cpu0 16 0 6 101 22 0 0 0 0 0
cpu1 20 0 0 210 0 0 0 0 0 0
cpu11 107 0 0 7 0 0 0 0 0 0
intr 9 9 9
)";
  EXPECT_DOUBLE_EQ(idle_share(kBefore, kAfter, {0}), 0.3);
  EXPECT_DOUBLE_EQ(idle_share(kBefore, kAfter, {1}), 1.0);
  EXPECT_DOUBLE_EQ(idle_share(kBefore, kAfter, {0, 1}), 13.0 / 20.0);
  EXPECT_DOUBLE_EQ(idle_share(kBefore, kAfter, {11}), 0.0);
}

TEST(IdleShare, CountsGuestsOnce) {
  EXPECT_DOUBLE_EQ(idle_share("cpu0 0 0 0 0 0 0 0 0 0 0", "cpu0 5 0 0 5 0 0 0 0 5 0", {0}), 0.5);
}

TEST(IdleShare, IsAllWhereTheReadingsTellNothing) {
  EXPECT_EQ(idle_share("", "", {0}), 1.0);
  EXPECT_EQ(idle_share(kBefore, kBefore, {0}), 1.0);
  EXPECT_EQ(idle_share(kBefore, "cpu0 x y", {0}), 1.0);
  EXPECT_EQ(idle_share(kBefore, kBefore, {5}), 1.0);
}

TEST(SpareShare, IsTheLessOfMachineAndQuota) {
  const CpuReading before{};
  const auto second = before.when + std::chrono::seconds(1);
  const auto whole = std::chrono::nanoseconds(std::chrono::seconds(cpu_budget()));
  EXPECT_DOUBLE_EQ(spare_share(before, {.stat = "", .used = whole / 4, .when = second}), 0.75);
  EXPECT_DOUBLE_EQ(spare_share(before, {.stat = "", .used = {}, .when = second}), 1.0);
  EXPECT_DOUBLE_EQ(spare_share(before, before), 1.0) << "no time has passed";
  EXPECT_LE(spare_share(read_cpu(), read_cpu()), 1.0);
}

TEST(Machine, IsNamedByWhatDecidesSpeed) {
  EXPECT_EQ(machine_text(
                "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f avx512_bf16 sse\n", 2),
            "AMD EPYC, 2 cores, avx2 avx512f avx512_bf16");
  EXPECT_EQ(machine_text("Features\t: fp asimddp bf16\nCPU part\t: 0xd0c\n", 1),
            "CPU part 0xd0c, 1 core, asimddp bf16");
  EXPECT_EQ(machine_text("", 4), "CPU part , 4 cores");
}

}  // namespace
}  // namespace bascule

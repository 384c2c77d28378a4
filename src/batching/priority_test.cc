#include "batching/priority.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace bascule::batching {
namespace {

struct Case {
  std::string name;
  std::uint64_t asked = 0;
  PriorityLevels levels;
  std::uint32_t level = 0;
};

class LevelOf : public testing::TestWithParam<Case> {};

TEST_P(LevelOf, AsTheTableSays) {
  EXPECT_EQ(level_of(GetParam().asked, GetParam().levels), GetParam().level);
}

INSTANTIATE_TEST_SUITE_P(
    Table, LevelOf,
    testing::Values(
        Case{"NoLevels", 3, {}, 0}, Case{"TheFirst", 1, {.priority_levels = 4}, 1},
        Case{"TheLast", 4, {.priority_levels = 4}, 4},
        Case{"NoneAskedIsTheLowest", 0, {.priority_levels = 4}, 4},
        Case{"NoneAskedIsTheDefault", 0, {.priority_levels = 4, .default_priority_level = 2}, 2},
        Case{"AboveTheLevelsIsTheDefault", 5, {.priority_levels = 4, .default_priority_level = 2}, 2},
        Case{"FarAboveTheLevels", std::numeric_limits<std::uint64_t>::max(), {.priority_levels = 4}, 4},
        Case{"ADefaultAboveTheLevelsIsTheLowest", 0, {.priority_levels = 4, .default_priority_level = 9}, 4}),
    [](const testing::TestParamInfo<Case>& row) { return row.param.name; });

}  // namespace
}  // namespace bascule::batching

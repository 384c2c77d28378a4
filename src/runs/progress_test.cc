#include "runs/progress.h"

#include <gtest/gtest.h>

namespace bascule::runs {
namespace {

TEST(Progress, NumbersAndTimesArePlainToRead) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1'234'567), "1,234,567");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(200), "3:20 min");
  EXPECT_EQ(duration_text(3723), "1:02:03 h");
}

TEST(Progress, ForetellsFromWhatThisProcessDid) {
  const Standing standing{.good = 7'000,
                          .bad = 500,
                          .since = 2'500,
                          .share = 0.75,
                          .first_share = 0.5,
                          .took = std::chrono::seconds(10)};
  EXPECT_EQ(line_text(standing), " 75 %  7,500 done, 500 bad  250.0/s  10 s left");
  EXPECT_EQ(bar_text(standing), "[##################      ] " + line_text(standing));
}

TEST(Progress, ForetellsNothingOfAStream) {
  EXPECT_EQ(bar_text({.good = 12, .since = 12, .took = std::chrono::seconds(2)}), "12 done  6.0/s");
}

}  // namespace
}  // namespace bascule::runs

#include "base/back_off.h"

#include <gtest/gtest.h>

namespace bascule {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(BackOff, DoublesUpToItsLongest) {
  BackOff back_off({.first = seconds(1), .longest = seconds(10), .seed = 7});
  for (const auto whole : {1, 2, 4, 8, 10, 10, 10}) {
    const Duration wait = back_off.next();
    EXPECT_GE(wait, Duration(seconds(whole)) / 2);
    EXPECT_LE(wait, Duration(seconds(whole)));
  }
  back_off.reset();
  EXPECT_LE(back_off.next(), Duration(seconds(1)));
}

TEST(BackOff, StaysBoundedForever) {
  BackOff back_off({.first = milliseconds(1), .longest = minutes(1)});
  for (int i = 0; i < 10'000; ++i) ASSERT_LE(back_off.next(), Duration(minutes(1)));
}

TEST(BackOff, HonoursWhatIsAskedForUpToALimit) {
  BackOff back_off({.first = milliseconds(1), .longest = milliseconds(2), .longest_asked = minutes(5)});
  EXPECT_EQ(back_off.next(seconds(7)), Duration(seconds(7)));
  EXPECT_EQ(back_off.next(std::chrono::hours(24)), Duration(minutes(5)));
  EXPECT_GT(back_off.next(Duration{}), Duration{});
}

TEST(BackOff, IsTheSameForTheSameSeedOnly) {
  BackOff one({.seed = 1});
  BackOff same({.seed = 1});
  BackOff other({.seed = 2});
  const Duration wait = one.next();
  EXPECT_EQ(wait, same.next());
  EXPECT_NE(wait, other.next());
}

}  // namespace
}  // namespace bascule

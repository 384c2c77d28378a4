#include "tracing/retry.h"

#include <gtest/gtest.h>

namespace bascule::tracing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Retry, IsWorthItForWhatPasses) {
  for (const unsigned status : {0U, 429U, 502U, 503U, 504U}) EXPECT_TRUE(is_worth_another(status)) << status;
  for (const unsigned status : {200U, 202U, 301U, 400U, 401U, 404U, 413U, 500U, 501U})
    EXPECT_FALSE(is_worth_another(status)) << status;
}

TEST(Retry, WaitsTwiceAsLongEachTimeUpToFiveSeconds) {
  const struct {
    std::uint32_t tries;
    milliseconds least;
    milliseconds most;
  } cases[] = {
      {1, milliseconds(250), milliseconds(500)},
      {2, milliseconds(500), milliseconds(1000)},
      {4, milliseconds(2000), milliseconds(4000)},
      {5, milliseconds(2500), milliseconds(5000)},
      {4'000'000'000, milliseconds(2500), milliseconds(5000)},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(wait_before_next(each.tries, std::nullopt, 0), each.least) << each.tries;
    EXPECT_EQ(wait_before_next(each.tries, std::nullopt, 1), each.most) << each.tries;
  }
}

TEST(Retry, WaitsAsLongAsItIsAskedToWithinTheBound) {
  EXPECT_EQ(wait_before_next(1, seconds(7), 0.5), seconds(7));
  EXPECT_EQ(wait_before_next(1, seconds(3600), 0.5), kLongestAsked);
  EXPECT_EQ(wait_before_next(1, Duration{}, 1), kFirstWait);  // asks for nothing
}

}  // namespace
}  // namespace bascule::tracing

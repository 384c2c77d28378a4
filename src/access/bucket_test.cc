#include "access/bucket.h"

#include <chrono>

#include <gtest/gtest.h>

namespace bascule::access {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One request of a series: when, and how long it is told to wait; 0: let through.
struct Step {
  Duration at;
  Duration wait;
};

void expect(double per_second, std::initializer_list<Step> steps) {
  Bucket bucket(per_second);
  int number = 0;
  for (const Step& step : steps) {
    EXPECT_EQ(bucket.take(TimePoint(seconds(1000) + step.at)), step.wait)
        << per_second << " per second, step " << number;
    ++number;
  }
}

TEST(Bucket, LetsThroughWhatItsRateSays) {
  const Duration none{};
  // Four at once, then one each quarter of a second.
  expect(4, {{none, none},
             {none, none},
             {none, none},
             {none, none},
             {none, milliseconds(250)},
             {milliseconds(249), milliseconds(1)},
             {milliseconds(250), none},
             {milliseconds(250), milliseconds(250)},
             {milliseconds(1000), none},
             {milliseconds(1000), none},
             {milliseconds(1000), none},
             {milliseconds(1000), milliseconds(250)}});
  // A rest is saved up for one second, no longer.
  expect(2, {{none, none}, {seconds(3600), none}, {seconds(3600), none}, {seconds(3600), milliseconds(500)}});
  // Less than one a second: one at a time.
  expect(0.5, {{none, none},
               {none, seconds(2)},
               {milliseconds(500), milliseconds(1500)},
               {seconds(2), none},
               {seconds(2), seconds(2)},
               {seconds(60), none},
               {seconds(60), seconds(2)}});
}

TEST(Bucket, OfNoRateNeverRefuses) {
  Bucket bucket(0);
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(bucket.take(TimePoint()), Duration{});
}

}  // namespace
}  // namespace bascule::access

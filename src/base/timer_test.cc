#include "base/timer.h"

#include <future>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace bascule {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(TimerThread, CallsInTheOrderOfTimesAndNeverEarly) {
  const SteadyClock clock;
  TimerThread timer(clock);
  std::vector<int> order;
  std::promise<void> done;
  const TimePoint start = clock.now();
  std::promise<void> all_are_set;
  timer.call_at(start, [&] { all_are_set.get_future().wait(); });
  timer.call_at(start + hours(1), [&] { order.push_back(9); });
  timer.call_at(start + milliseconds(12), [&] {
    order.push_back(2);
    EXPECT_GE(clock.now(), start + milliseconds(12));
    done.set_value();
  });
  timer.call_at(start + milliseconds(6), [&] { order.push_back(1); });
  timer.call_at(start - hours(1), [&] { order.push_back(0); });
  all_are_set.set_value();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(TimerThread, DropsWhatWasNotDueWhenItStops) {
  const SteadyClock clock;
  TimerThread timer(clock);
  const auto kept = std::make_shared<int>(1);
  timer.call_at(clock.now() + hours(1), [kept] { FAIL() << "called early"; });
  EXPECT_EQ(kept.use_count(), 2);
  timer.stop();
  timer.call_at(clock.now(), [kept] { FAIL() << "called after the end"; });
  EXPECT_EQ(kept.use_count(), 1);
}

}  // namespace
}  // namespace bascule

#include "base/clock.h"

#include <thread>

#include <gtest/gtest.h>

namespace bascule {
namespace {

void use_processor(Duration time) {
  const ThreadTimeClock clock;
  const TimePoint end = clock.now() + time;
  while (clock.now() < end) {
  }
}

TEST(ThreadTimeClock, CountsWhatThisThreadUses) {
  const ThreadTimeClock used;
  const SteadyClock steady;
  const TimePoint start = steady.now();
  const TimePoint before = used.now();
  use_processor(std::chrono::milliseconds(2));
  const Duration took = used.now() - before;
  EXPECT_GE(took, std::chrono::milliseconds(2));
  EXPECT_LE(took, steady.now() - start);
}

TEST(ThreadTimeClock, CountsNoOtherThreads) {
  const ThreadTimeClock used;
  const TimePoint before = used.now();
  Duration other{};
  std::jthread([&] {
    use_processor(std::chrono::milliseconds(50));
    other = used.now() - TimePoint();
  }).join();
  EXPECT_GE(other, std::chrono::milliseconds(50));
  EXPECT_LT(used.now() - before, std::chrono::milliseconds(25)) << "waiting for the other was counted";
}

}  // namespace
}  // namespace bascule

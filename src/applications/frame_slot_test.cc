#include "applications/frame_slot.h"

#include <thread>

#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

Frame frame(std::uint64_t number) { return {.picture = {}, .source = "s", .number = number}; }

const Stop kNever = [] { return false; };
const Stop kNow = [] { return true; };

TEST(FrameSlot, KeepsOnlyTheLatestOfALiveSource) {
  FrameSlot slot;
  for (std::uint64_t i = 1; i <= 5; ++i) EXPECT_TRUE(slot.put(frame(i), true, kNever));
  EXPECT_EQ(slot.dropped(), 4U);
  EXPECT_EQ(slot.take(kNever)->number, 5U);
}

TEST(FrameSlot, MakesAReplayableSourceWaitAndLosesNothing) {
  FrameSlot slot;
  std::jthread reader([&] {
    for (std::uint64_t i = 1; i <= 100; ++i) slot.put(frame(i), false, kNever);
    slot.finish();
  });
  std::uint64_t next = 1;
  while (const auto got = slot.take(kNever)) EXPECT_EQ(got->number, next++);
  EXPECT_EQ(next, 101U);
  EXPECT_EQ(slot.dropped(), 0U);
}

TEST(FrameSlot, IsLeftWhenToldTo) {
  FrameSlot slot;
  EXPECT_FALSE(slot.take(kNow));
  EXPECT_TRUE(slot.put(frame(1), false, kNow));
  EXPECT_FALSE(slot.put(frame(2), false, kNow));
  slot.finish();
  EXPECT_EQ(slot.take(kNever)->number, 1U);
  EXPECT_FALSE(slot.take(kNever));
}

}  // namespace
}  // namespace bascule::applications

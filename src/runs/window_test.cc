#include "runs/window.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace bascule::runs {
namespace {

// A frame of so many bytes, which nobody looks at.
Unit frame_of(std::size_t bytes) {
  static const std::byte kOne{};
  Unit unit;
  unit.items.push_back({.key = "clip.mp4:1",
                        .text = {},
                        .fault = {},
                        .frame = {.bytes = {&kOne, bytes}, .owner = {}, .name = {}}});
  return unit;
}

TEST(Window, IsBoundedInTheBytesOfFramesThatWait) {
  Window window(100);
  ASSERT_TRUE(window.put(frame_of(Window::kMaxFrameBytes + 1)));  // one alone always has room
  std::atomic<bool> in = false;
  std::thread putter([&] {
    EXPECT_TRUE(window.put(frame_of(1)));
    in = true;
  });
  const auto task = window.take();
  ASSERT_TRUE(task);
  EXPECT_FALSE(in);
  window.done(task->number, {});
  putter.join();
  EXPECT_TRUE(in);
  // What was answered waits for its turn without its pixels.
  Window::Finished finished;
  ASSERT_EQ(window.next(finished, Duration::zero()), Window::State::kFinished);
  EXPECT_EQ(finished.unit.items[0].key, "clip.mp4:1");
  EXPECT_TRUE(finished.unit.items[0].frame.bytes.empty());
}

TEST(Window, LetsGoOfWhoWaitsForRoomWhenItCloses) {
  Window window(100);
  ASSERT_TRUE(window.put(frame_of(Window::kMaxFrameBytes)));
  std::thread putter([&] { EXPECT_FALSE(window.put(frame_of(1))); });
  window.close();
  putter.join();
}

}  // namespace
}  // namespace bascule::runs

#include "applications/sources/push_source.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

using testing::HasSubstr;

const Stop kNever = [] { return false; };

content::EncodedPicture picture(std::size_t size = 10) {
  const auto owner = std::make_shared<const std::vector<std::byte>>(size);
  return {.bytes = *owner, .owner = owner, .name = {}};
}

TEST(PushSource, GivesWhatIsPushedInItsOrder) {
  const auto box = std::make_shared<PushBox>(PushOptions{.source = "till"});
  PushSource source(box, 6);
  std::jthread pusher([&] {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(*box->push(picture(), 100 + i), 7U + static_cast<unsigned>(i));
  });
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto frame = source.next(kNever);
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->number, 7 + i);
    EXPECT_EQ((*frame)->time_ms, static_cast<std::int64_t>(100 + i));
    EXPECT_EQ((*frame)->source, "till");
  }
  EXPECT_EQ(source.state().frames, 3U);
  EXPECT_FALSE(source.live());
}

TEST(PushSource, RefusesWhatDoesNotFit) {
  const auto box =
      std::make_shared<PushBox>(PushOptions{.source = "till", .max_frames = 2, .max_bytes = 100});
  EXPECT_EQ(box->push(picture(), 0).error().code, Code::kFailedPrecondition);  // nobody takes them
  PushSource source(box, 0);
  EXPECT_EQ(box->push(picture(101), 0).error().code, Code::kPayloadTooLarge);
  EXPECT_TRUE(box->push(picture(60), 0));
  EXPECT_EQ(box->push(picture(60), 0).error().reason, Reason::kQueueFull);  // by bytes
  EXPECT_TRUE(box->push(picture(), 0));
  const auto full = box->push(picture(), 0);  // by count
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().reason, Reason::kQueueFull);
  EXPECT_THAT(full.error().message, HasSubstr("2 frames wait"));
  EXPECT_EQ((*source.next(kNever))->number, 1U);
  EXPECT_EQ(*box->push(picture(), 0), 3U);  // a refused one has no number
}

TEST(PushSource, TakesFramesThoughTheOneBeforeGoesLate) {
  const auto box = std::make_shared<PushBox>(PushOptions{.source = "till"});
  auto before = std::make_unique<PushSource>(box, 0);
  auto source = std::make_unique<PushSource>(box, 0);
  before.reset();
  EXPECT_EQ(*box->push(picture(), 0), 1U);
  EXPECT_EQ((*source->next(kNever))->number, 1U);
  source.reset();
  EXPECT_EQ(box->push(picture(), 0).error().code, Code::kFailedPrecondition);
}

TEST(PushSource, DropsTheOldestWhereTheLatestIsWanted) {
  const auto box = std::make_shared<PushBox>(PushOptions{.source = "till", .max_frames = 2, .latest = true});
  PushSource source(box, 0);
  for (std::uint64_t i = 1; i <= 5; ++i) EXPECT_EQ(*box->push(picture(), 0), i);
  EXPECT_EQ((*source.next(kNever))->number, 4U);
  EXPECT_EQ(source.state().dropped, 3U);
  EXPECT_TRUE(source.live());
}

TEST(PushSource, EndsWhenItIsToldTo) {
  const auto box = std::make_shared<PushBox>(PushOptions{.source = "till"});
  {
    PushSource source(box, 0);
    EXPECT_TRUE(box->push(picture(), 0));
    EXPECT_EQ(source.next([] { return true; }).error().code, Code::kCancelled);
  }
  EXPECT_FALSE(box->push(picture(), 0));
  EXPECT_EQ(box->state().dropped, 1U);
}

}  // namespace
}  // namespace bascule::applications

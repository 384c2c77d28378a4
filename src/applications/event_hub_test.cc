#include "applications/event_hub.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> ids(const std::vector<std::shared_ptr<const Event>>& events) {
  std::vector<std::string> out;
  for (const auto& event : events) out.push_back(event->id);
  return out;
}

void publish(EventHub& hub, int from, int to) {
  for (int i = from; i <= to; ++i) hub.publish({.id = std::to_string(i), .json = "{}"});
}

std::unique_ptr<EventHub::Subscription> subscribe(EventHub& hub, std::string_view last = "") {
  auto subscription = hub.subscribe(last, [] {});
  EXPECT_TRUE(subscription);
  return *std::move(subscription);
}

TEST(EventHub, GivesEachSubscriberWhatComes) {
  EventHub hub({});
  publish(hub, 1, 1);
  auto one = subscribe(hub);
  EXPECT_THAT(one->take().events, IsEmpty());
  publish(hub, 2, 4);
  auto two = subscribe(hub);
  publish(hub, 5, 5);
  EXPECT_THAT(ids(one->take(2).events), ElementsAre("2", "3"));
  EXPECT_THAT(ids(one->take(2).events), ElementsAre("4", "5"));
  EXPECT_THAT(ids(two->take().events), ElementsAre("5"));
  EXPECT_THAT(two->take().events, IsEmpty());
  EXPECT_THAT(ids(hub.latest(2)), ElementsAre("4", "5"));
}

TEST(EventHub, GoesOnBehindTheLastEvent) {
  EventHub hub({.max_events = 3});
  publish(hub, 1, 5);
  EXPECT_THAT(ids(subscribe(hub, "4")->take().events), ElementsAre("5"));
  EXPECT_THAT(subscribe(hub, "5")->take().events, IsEmpty());
  EXPECT_THAT(ids(subscribe(hub, "gone or never there")->take().events), ElementsAre("3", "4", "5"));
}

TEST(EventHub, TellsASlowOneHowManyItLost) {
  EventHub hub({.max_events = 3});
  auto slow = subscribe(hub);
  publish(hub, 1, 10);
  const auto taken = slow->take();
  EXPECT_EQ(taken.lost, 7U);
  EXPECT_THAT(ids(taken.events), ElementsAre("8", "9", "10"));
  EXPECT_EQ(slow->take().lost, 0U);
}

TEST(EventHub, IsBoundedByBytesAndSubscribers) {
  EventHub hub({.max_events = 100, .max_bytes = 10'000, .max_subscribers = 1});
  for (int i = 0; i < 10; ++i) {
    hub.publish({.id = std::to_string(i), .picture = std::make_shared<std::vector<std::byte>>(4000)});
  }
  EXPECT_THAT(ids(hub.latest(100)), ElementsAre("8", "9"));
  hub.publish({.id = "large", .picture = std::make_shared<std::vector<std::byte>>(40'000)});
  EXPECT_THAT(ids(hub.latest(100)), ElementsAre("large"));
  auto one = subscribe(hub);
  const auto second = hub.subscribe("", [] {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kResourceExhausted);
  one.reset();
  EXPECT_TRUE(hub.subscribe("", [] {}));
}

TEST(EventHub, TellsWhoeverLooksOnUntilTheyLeave) {
  EventHub hub({});
  int told = 0;
  auto subscription = hub.subscribe("", [&] { ++told; });
  publish(hub, 1, 2);
  EXPECT_EQ(told, 2);
  subscription->reset();
  publish(hub, 3, 3);
  EXPECT_EQ(told, 2);
}

TEST(EventHub, LosesNothingBetweenThreads) {
  EventHub hub({.max_events = 100'000});
  auto subscription = subscribe(hub);
  std::thread publisher([&] { publish(hub, 1, 5000); });
  std::size_t got = 0;
  while (got < 5000) {
    const auto taken = subscription->take();
    ASSERT_EQ(taken.lost, 0U);
    for (const auto& event : taken.events) ASSERT_EQ(event->id, std::to_string(++got));
  }
  publisher.join();
}

}  // namespace
}  // namespace bascule::applications

#include "applications/event.h"

#include <set>

#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

TEST(Event, HasAnIdThatFollowsFromWhatItIs) {
  const std::string id = event_id("line-3", "camera", 17, "scratch");
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(id, event_id("line-3", "camera", 17, "scratch"));
  // The parts cannot run into each other.
  const std::set<std::string> ids{id,
                                  event_id("line-3", "camera", 18, "scratch"),
                                  event_id("line-3", "camera", 17, "dent"),
                                  event_id("line-3c", "amera", 17, "scratch"),
                                  event_id("line-3", "camera1", 7, "scratch"),
                                  event_id("line-3", "camera", 1, "7scratch")};
  EXPECT_EQ(ids.size(), 6U);
}

// Receivers may compute it, too: docs/sinks.md says how.
TEST(Event, HasTheIdThatItsDocumentSays) {
  // printf '6:line-36:camera2:177:scratch' | sha256sum | cut -c 1-32
  EXPECT_EQ(event_id("line-3", "camera", 17, "scratch"), "4245bcbdcd6cba0e1bbaf397c5faf2d6");
}

TEST(Event, TellsItsTimeInUtc) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_text(1'795'740'601'123), "2026-11-27T00:50:01.123Z");
  EXPECT_EQ(utc_text(951'782'400'001), "2000-02-29T00:00:00.001Z");
  EXPECT_EQ(utc_text(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Event, ComesBackFromItsBytes) {
  const Event event{.id = "id",
                    .app = "a:1",
                    .source = "",
                    .rule = std::string("r\0\n", 3),
                    .severity = "alert",
                    .frame = 1ULL << 60U,
                    .time_ms = -5,
                    .json = "{\"a\":\"3:abc\"}"};
  const auto back = unpacked(packed(event));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->id, event.id);
  EXPECT_EQ(back->app, event.app);
  EXPECT_EQ(back->source, event.source);
  EXPECT_EQ(back->rule, event.rule);
  EXPECT_EQ(back->severity, event.severity);
  EXPECT_EQ(back->frame, event.frame);
  EXPECT_EQ(back->time_ms, event.time_ms);
  EXPECT_EQ(back->json, event.json);
}

TEST(Event, RefusesBytesThatAreNone) {
  const std::string good = packed({.id = "id", .json = "{}"});
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(unpacked(good.substr(0, size))) << size;
  EXPECT_FALSE(unpacked(good + "x"));
  EXPECT_FALSE(unpacked("1:2" + good.substr(3)));
  EXPECT_FALSE(unpacked("99999999999999999999:"));
  EXPECT_FALSE(unpacked("-1:"));
}

}  // namespace
}  // namespace bascule::applications

#include "runs/server_choice.h"

#include <vector>

#include <gtest/gtest.h>

namespace bascule::runs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kNow = TimePoint(seconds(1000));

TEST(ServerChoice, TakesTheOneWithTheFewestRequests) {
  std::vector<ServerHealth> servers(3);
  servers[0].in_flight = 2;
  servers[1].in_flight = 1;
  servers[2].in_flight = 1;
  EXPECT_EQ(choose(servers, kNow), 1U);
  servers[1].not_before = kNow + milliseconds(1);
  EXPECT_EQ(choose(servers, kNow), 2U);
  servers[0].not_before = servers[2].not_before = kNow + seconds(2);
  EXPECT_FALSE(choose(servers, kNow));
  EXPECT_EQ(next_time(servers), kNow + milliseconds(1));
  EXPECT_EQ(choose(servers, kNow + milliseconds(1)), 1U);
}

TEST(ServerChoice, RestsTwiceAsLongEachTime) {
  ServerHealth server;
  TimePoint now = kNow;
  for (const int ms : {250, 500, 1000, 2000, 4000, 8000, 16'000, 30'000, 30'000}) {
    note_failure(server, now, now, std::nullopt);
    EXPECT_EQ(server.not_before - now, Duration(milliseconds(ms)));
    now = server.not_before;
  }
  note_success(server);
  note_failure(server, now, now, std::nullopt);
  EXPECT_EQ(server.not_before - now, Duration(milliseconds(250)));
}

TEST(ServerChoice, RestsForAsLongAsTheServerAsks) {
  ServerHealth server;
  note_failure(server, kNow, kNow, seconds(7));
  EXPECT_EQ(server.not_before, kNow + seconds(7));
  note_failure(server, kNow + seconds(7), kNow + seconds(7), seconds(86'400));
  EXPECT_EQ(server.not_before, kNow + seconds(7) + kLongestRest);
}

TEST(ServerChoice, CountsWhatWasUnderWayTogetherAsOneFailure) {
  ServerHealth server;
  for (int i = 0; i < 8; ++i)
    note_failure(server, kNow - milliseconds(100), kNow + milliseconds(i), std::nullopt);
  EXPECT_EQ(server.failures, 1U);
  EXPECT_EQ(server.not_before, kNow + milliseconds(250));
}

}  // namespace
}  // namespace bascule::runs

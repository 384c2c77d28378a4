#include "net/poster.h"

#include <atomic>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "net/test_server.h"

namespace bascule::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const SteadyClock kClock;

bool never() { return false; }

TimePoint soon() { return kClock.now() + seconds(20); }

TEST(Poster, SendsTheBodyAndTheFieldsToAPrivateAddress) {
  Guarded<std::string> seen;
  const TestServer server([&](const std::string& request, const TestServer::Send& send) {
    seen.with([&](std::string& text) { text = request; });
    send(reply("{}", "200 OK"));
  });
  auto poster = Poster::open(server.url("/v1/traces"),
                             {.fields = {"Content-Type: application/json", "X-Secret: s3cret"}}, kClock);
  ASSERT_TRUE(poster);
  const auto answer = poster->post("{\"a\":1}", soon(), never);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200U);
  EXPECT_EQ(answer->body, "{}");
  EXPECT_FALSE(answer->retry_after);
  seen.with([](const std::string& text) {
    EXPECT_THAT(text, HasSubstr("POST /v1/traces HTTP/1.1"));
    EXPECT_THAT(text, HasSubstr("Content-Type: application/json"));
    EXPECT_THAT(text, HasSubstr("X-Secret: s3cret"));
    EXPECT_THAT(text, HasSubstr("Content-Length: 7"));
    EXPECT_THAT(text, Not(HasSubstr("Expect")));
  });
}

TEST(Poster, TellsTheStatusAndWhenToComeBack) {
  const TestServer server([](const std::string&, const TestServer::Send& send) {
    send(reply("busy", "503 Service Unavailable", "Retry-After: 7\r\n"));
  });
  auto poster = Poster::open(server.url(), {}, kClock);
  const auto answer = poster->post("x", soon(), never);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 503U);
  EXPECT_EQ(answer->retry_after, Duration(seconds(7)));
}

TEST(Poster, GoesNowhereElse) {
  const TestServer server([](const std::string&, const TestServer::Send& send) {
    send(reply("", "307 Temporary Redirect", "Location: /elsewhere\r\n"));
  });
  auto poster = Poster::open(server.url(), {}, kClock);
  EXPECT_EQ(poster->post("x", soon(), never)->status, 307U);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Poster, SaysThatNobodyTakesTheConnection) {
  std::string url;
  {
    const TestServer gone([](const std::string&, const TestServer::Send&) {});
    url = gone.url();
  }
  auto poster = Poster::open(url, {.fields = {"X-Secret: s3cret"}}, kClock);
  const auto answer = poster->post("x", soon(), never);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("takes no connection"));
  EXPECT_THAT(answer.error().message, Not(HasSubstr("s3cret")));
}

TEST(Poster, GivesUpWhenItsTimeIsOverOrItIsTold) {
  const TestServer server([](const std::string&, const TestServer::Send& send) { wait_until_gone(send); });
  auto poster = Poster::open(server.url(), {}, kClock);
  EXPECT_THAT(poster->post("x", kClock.now() + milliseconds(20), never).error().message,
              HasSubstr("did not answer in time"));
  std::atomic<int> asked = 0;
  EXPECT_FALSE(poster->post("x", soon(), [&] { return ++asked > 1; }));
}

TEST(Poster, KeepsNoEndlessAnswer) {
  const TestServer server([](const std::string&, const TestServer::Send& send) {
    send(reply(std::string(PosterOptions().max_answer + 1, 'x'), "200 OK"));
  });
  auto poster = Poster::open(server.url(), {}, kClock);
  EXPECT_FALSE(poster->post("x", soon(), never));
  auto patient = Poster::open(server.url(), {.max_answer = PosterOptions().max_answer + 1}, kClock);
  EXPECT_EQ(patient->post("x", soon(), never)->body.size(), PosterOptions().max_answer + 1);
}

TEST(Poster, SendsFieldsOfOnePostWithThatOneOnly) {
  Guarded<std::string> seen;
  const TestServer server([&](const std::string& request, const TestServer::Send& send) {
    seen.with([&](std::string& text) { text += request; });
    send(reply("", "200 OK", "Connection: close\r\n"));
  });
  auto poster = Poster::open(server.url(), {.fields = {"X-Always: 1"}}, kClock);
  const std::vector<std::string> fields{"X-Once: 2"};
  ASSERT_TRUE(poster->post("x", soon(), never, fields));
  seen.with([](std::string& text) {
    EXPECT_THAT(text, HasSubstr("X-Once: 2\r\nX-Always: 1"));
    text.clear();
  });
  ASSERT_TRUE(poster->post("x", soon(), never));
  seen.with([](const std::string& text) {
    EXPECT_THAT(text, HasSubstr("X-Always: 1"));
    EXPECT_THAT(text, Not(HasSubstr("X-Once")));
  });
}

TEST(Poster, ConnectsToPrivateAddressesWhereThatIsAllowedOnly) {
  const TestServer server([](const std::string&, const TestServer::Send& send) { send(reply("")); });
  auto poster = Poster::open(server.url(), {.allow_private = false}, kClock);
  const auto answer = poster->post("x", soon(), never);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("allow_private"));
  EXPECT_EQ(server.connections(), 0);
}

TEST(Poster, RefusesWhatIsNoUrl) {
  EXPECT_FALSE(Poster::open("localhost:4318", {}, kClock));
  EXPECT_FALSE(Poster::open("http://user:secret@localhost:4318", {}, kClock));
  EXPECT_FALSE(Poster::open("file:///etc/passwd", {}, kClock));
}

}  // namespace
}  // namespace bascule::net

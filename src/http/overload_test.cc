#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "http/loopback.h"

namespace bascule::http {
namespace {

using ::testing::HasSubstr;

// Two requests run, one waits: no further one may.
std::vector<Client> fill(Loopback& loopback) {
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(loopback.connect());
    EXPECT_TRUE(clients.back().send(post("/v2/models/narrow/infer", infer_json({1}))));
    if (i < 2) loopback.wait_for_slow(i + 1);
  }
  Client scraper = loopback.connect();
  const std::string waits = "bascule_queue_depth{model=\"narrow\",version=\"1\"} 1";
  for (int i = 0; i < 10'000; ++i) {
    const auto reply = scraper.ask(get("/metrics"));
    if (!reply || reply->body.find(waits) != std::string::npos) return clients;
  }
  ADD_FAILURE() << "the third request does not wait";
  return clients;
}

TEST(Overload, IsToldBeforeTheBodyIsRead) {
  Loopback loopback;
  std::vector<Client> clients = fill(loopback);
  Client late = loopback.connect();
  // Only the head is sent.
  const std::string head = "POST /v2/models/narrow/infer HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n";
  const std::string body = infer_json({2});
  const auto refused = late.ask(fmt::format(fmt::runtime(head), body.size()));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 429);
  EXPECT_GE(text::parse_int(refused->fields.at("retry-after")).value_or(0), 1);
  EXPECT_GE(text::parse_int(refused->fields.at("retry-after-ms")).value_or(0), 1);
  EXPECT_THAT(refused->body, HasSubstr("1 requests wait for model 'narrow'"));
  EXPECT_EQ(refused->fields.count("connection"), 0U);

  // The connection goes on behind the body, and what waited has its answer.
  loopback.let_slow_run();
  for (Client& client : clients) EXPECT_EQ(client.read()->status, 200);
  ASSERT_TRUE(late.send(body));
  EXPECT_EQ(late.ask(post("/v2/models/narrow/infer", body))->status, 200);
  EXPECT_THAT(loopback.exposition(),
              HasSubstr(R"(nv_inference_request_failure{model="narrow",reason="REJECTED",version="1"} 1)"));
}

TEST(Overload, ALongBodyEndsTheConnection) {
  Loopback loopback;
  const std::vector<Client> clients = fill(loopback);
  for (const char* const form : {"Content-Length: 9000000\r\n", "Transfer-Encoding: chunked\r\n",
                                 "Content-Length: 10\r\nExpect: 100-continue\r\n"}) {
    Client late = loopback.connect();
    const auto refused =
        late.ask(fmt::format("POST /models/narrow/predict HTTP/1.1\r\nHost: t\r\n{}\r\n", form));
    ASSERT_TRUE(refused) << form;
    // This model takes no pictures, but its queue is looked at first.
    EXPECT_EQ(refused->status, 429) << form << refused->body;
    EXPECT_EQ(refused->fields.at("connection"), "close") << form;
    EXPECT_TRUE(late.ends()) << form;
  }
}

TEST(Overload, TritonsClientsSeeItsStatus) {
  Loopback loopback({.triton_statuses = true});
  const std::vector<Client> clients = fill(loopback);
  Client late = loopback.connect();
  const auto refused = late.ask(post("/v2/models/narrow/infer", infer_json({2})));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_GE(text::parse_int(refused->fields.at("retry-after")).value_or(0), 1);
}

TEST(Overload, OtherModelsAreServed) {
  Loopback loopback;
  const std::vector<Client> clients = fill(loopback);
  EXPECT_EQ(loopback.connect().ask(post("/v2/models/add_one/infer", infer_json({2})))->status, 200);
}

}  // namespace
}  // namespace bascule::http

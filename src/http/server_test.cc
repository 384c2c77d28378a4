#include "http/server.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/loopback.h"

namespace bascule::http {
namespace {

using ::testing::HasSubstr;

TEST(Server, AnswersHealthAndMetadata) {
  Loopback loopback;
  Client client = loopback.connect();
  const auto live = client.ask(get("/v2/health/live"));
  ASSERT_TRUE(live);
  EXPECT_EQ(live->status, 200);
  EXPECT_EQ(live->body, R"({"live":true})");
  EXPECT_EQ(live->fields.at("content-type"), "application/json");
  const auto ready = client.ask(get("/v2/health/ready"));
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->status, 503);
  EXPECT_THAT(ready->body, HasSubstr(R"("ready":false)"));
  EXPECT_THAT(ready->body, HasSubstr("still loading"));
  const auto server = client.ask(get("/v2"));
  ASSERT_TRUE(server);
  EXPECT_THAT(server->body, HasSubstr(R"("version":"1.2.3")"));
  const auto model = client.ask(get("/v2/models/add_one"));
  ASSERT_TRUE(model);
  EXPECT_EQ(model->status, 200);
  EXPECT_THAT(model->body, HasSubstr(R"("name":"x")"));
  const auto same = client.ask(get("/v2/models/add%5Fone/versions/1"));
  ASSERT_TRUE(same);
  EXPECT_EQ(same->body, model->body);
  EXPECT_EQ(client.ask(get("/v2/models/add_one/ready"))->status, 200);
  EXPECT_EQ(client.ask(get("/v2/models/loading/ready"))->status, 503);
  EXPECT_EQ(client.ask(get("/v2/models/nothing/ready"))->status, 404);
  EXPECT_EQ(client.ask(get("/v2/models/add_one/versions/2"))->status, 404);
  EXPECT_EQ(client.ask(get("/v2/models"))->body, R"({"models":["add_one","loading","slow"]})");
}

TEST(Server, InfersFromJsonOverOneConnection) {
  Loopback loopback;
  Client client = loopback.connect();
  for (int i = 0; i < 20; ++i) {
    const auto reply =
        client.ask(post("/v2/models/add_one/infer", infer_json({1.5F, static_cast<float>(i)})));
    ASSERT_TRUE(reply);
    ASSERT_EQ(reply->status, 200) << reply->body;
    EXPECT_THAT(reply->body, HasSubstr(fmt::format("[2.5,{}", i + 1)));
    EXPECT_EQ(reply->fields.count("connection"), 0U);
  }
  EXPECT_THAT(loopback.exposition(), HasSubstr(R"(bascule_requests_total{dialect="v2",model="add_one"} 20)"));
}

TEST(Server, AnswersFromAWorkerToo) {
  Loopback loopback;
  loopback.let_slow_run();
  Client client = loopback.connect();
  for (int i = 0; i < 20; ++i) {
    const auto reply = client.ask(post("/v2/models/slow/infer", infer_json({2})));
    ASSERT_TRUE(reply);
    EXPECT_THAT(reply->body, HasSubstr("[3"));
  }
}

}  // namespace
}  // namespace bascule::http

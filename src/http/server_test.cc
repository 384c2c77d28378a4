#include "http/server.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "http/loopback.h"
#include "http/reply.h"

namespace bascule::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::size_t length_of(const std::string& field) {
  return static_cast<std::size_t>(text::parse_int(field).value_or(0));
}

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
  EXPECT_EQ(client.ask(get("/v2/models"))->body, R"({"models":["add_one","loading","narrow","slow"]})");
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
  EXPECT_THAT(loopback.exposition(),
              HasSubstr(R"(bascule_requests_total{dialect="v2",model="add_one",version="1"} 20)"));
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

TEST(Server, CarriesBinaryTensorsBothWays) {
  Loopback loopback;
  Client client = loopback.connect();
  for (const std::size_t count : {1U, 100U, 50'000U, 1'000'000U}) {
    const std::vector<float> values(count, 1.5F);
    const std::string json = fmt::format(
        R"({{"inputs":[{{"name":"x","shape":[{}],"datatype":"FP32","parameters":{{"binary_data_size":{}}}}}],)"
        R"("outputs":[{{"name":"y","parameters":{{"binary_data":true}}}}]}})",
        count, count * 4);
    const auto reply = client.ask(post("/v2/models/add_one/infer", json + floats(values),
                                       fmt::format("Inference-Header-Content-Length: {}\r\n", json.size())));
    ASSERT_TRUE(reply);
    ASSERT_EQ(reply->status, 200) << reply->body;
    EXPECT_EQ(reply->fields.at("content-type"), "application/octet-stream");
    const auto head = length_of(reply->fields.at("inference-header-content-length"));
    EXPECT_EQ(reply->body.substr(head), floats(std::vector<float>(count, 2.5F)));
    EXPECT_EQ(loopback.last_input() % 64, 0U);
  }
}

TEST(Server, TakesARawBodyAsTheOnlyInput) {
  Loopback loopback;
  Client client = loopback.connect();
  const auto reply = client.ask(
      post("/v2/models/add_one/infer", floats({1, 2, 3}), "Inference-Header-Content-Length: 0\r\n"));
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->status, 200) << reply->body;
  const auto head = length_of(reply->fields.at("inference-header-content-length"));
  EXPECT_EQ(reply->body.substr(head), floats({2, 3, 4}));
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  Loopback loopback;
  loopback.let_slow_run();
  Client client = loopback.connect();
  std::string all;
  for (int i = 0; i < 200; ++i) {
    all += post(i % 3 == 0 ? "/v2/models/slow/infer" : "/v2/models/add_one/infer",
                infer_json({static_cast<float>(i)}));
  }
  ASSERT_TRUE(client.send(all));
  for (int i = 0; i < 200; ++i) {
    const auto reply = client.read();
    ASSERT_TRUE(reply) << i;
    EXPECT_THAT(reply->body, HasSubstr(fmt::format("\"data\":[{}", i + 1)));
  }
}

TEST(Server, ReadsARequestByteByByte) {
  Loopback loopback;
  Client client = loopback.connect();
  for (const char byte : post("/v2/models/add_one/infer", infer_json({7}))) {
    ASSERT_TRUE(client.send({&byte, 1}));
  }
  const auto reply = client.read();
  ASSERT_TRUE(reply);
  EXPECT_THAT(reply->body, HasSubstr("[8"));
}

TEST(Server, ReadsChunks) {
  Loopback loopback;
  Client client = loopback.connect();
  const std::string json = infer_json({1, 2, 3});
  std::string chunks;
  for (std::size_t i = 0; i < json.size(); i += 7) {
    const std::string part = json.substr(i, 7);
    chunks += fmt::format("{:x};note=1\r\n{}\r\n", part.size(), part);
  }
  const std::string head =
      "POST /v2/models/add_one/infer HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string request = head + chunks + "0\r\nTrailer: x\r\n\r\n";
  ASSERT_TRUE(client.send(request + request));
  for (int i = 0; i < 2; ++i) {
    const auto reply = client.read();
    ASSERT_TRUE(reply);
    EXPECT_THAT(reply->body, HasSubstr("[2"));
  }
}

TEST(Server, SaysContinueOnlyToWhatItWillRead) {
  Loopback loopback;
  Client client = loopback.connect();
  const std::string body = infer_json({1});
  const std::string fields =
      fmt::format("Host: test\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.size());
  ASSERT_TRUE(client.send("POST /v2/models/add_one/infer HTTP/1.1\r\n" + fields));
  EXPECT_EQ(client.read()->status, 100);
  const auto reply = client.ask(body);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  const auto refused = client.ask("POST /nothing HTTP/1.1\r\n" + fields);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 404);
  EXPECT_EQ(refused->fields.at("connection"), "close");
  EXPECT_TRUE(client.ends());
}

TEST(Server, AnswersHeadWithoutABody) {
  Loopback loopback;
  Client client = loopback.connect();
  ASSERT_TRUE(client.send("HEAD /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n"));
  const auto reply = client.read(true);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->fields.at("content-length"), "13");
  EXPECT_EQ(client.ask(get("/v2/health/live"))->body, R"({"live":true})");
}

TEST(Server, SpeaksHttp10) {
  Loopback loopback;
  Client kept = loopback.connect();
  const auto reply = kept.ask("GET /v2/health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->fields.at("connection"), "keep-alive");
  EXPECT_EQ(kept.ask("GET /v2/health/live HTTP/1.0\r\n\r\n")->fields.at("connection"), "close");
  EXPECT_TRUE(kept.ends());
}

TEST(Server, ShowsWhatItServesAndCounts) {
  Loopback loopback;
  Client client = loopback.connect();
  const auto page = client.ask(get("/"));
  ASSERT_TRUE(page);
  EXPECT_THAT(page->body, HasSubstr("bascule 1.2.3"));
  EXPECT_THAT(page->body, HasSubstr("add_one version 1: ready"));
  EXPECT_THAT(page->body, HasSubstr("/v2/models/{model}/infer"));
  EXPECT_THAT(page->body, HasSubstr("curl http://test/v2/models/add_one"));
  const auto metrics = client.ask(get("/metrics"));
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->fields.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(metrics->body, HasSubstr(R"(bascule_models{state="ready"} 3)"));
  EXPECT_THAT(metrics->body, HasSubstr(R"(bascule_models{state="loading"} 1)"));
}

TEST(Server, LabelsErrorsWithLoadedModelsOnly) {
  Loopback loopback;
  Client client = loopback.connect();
  EXPECT_EQ(client.ask(post("/v2/models/add_one/infer", "{"))->status, 400);
  EXPECT_EQ(client.ask(post("/v2/models/loading/infer", infer_json({1})))->status, 503);
  EXPECT_EQ(client.ask(post("/v2/models/made-up-1/infer", infer_json({1})))->status, 404);
  EXPECT_EQ(client.ask(post("/v2/models/made-up-2/infer", "{"))->status, 400);
  EXPECT_EQ(client.ask(post("/models/add_one/predict", "GIF89a"))->status, 400);
  const std::string text = loopback.exposition();
  EXPECT_THAT(text, HasSubstr(R"(dialect="v2",model="add_one",reason="json_syntax",version="1"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(dialect="v2",model="loading",reason="model_not_ready",version=""} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(dialect="v2",model="",reason="unknown_model",version=""} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(dialect="ultralytics",model="add_one")"));
  EXPECT_THAT(text, Not(HasSubstr("made-up")));
}

TEST(Server, EchoesATraceAndTellsItsTimesWhenAsked) {
  Loopback loopback;
  Client client = loopback.connect();
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto told = client.ask(post("/v2/models/add_one/infer", infer_json({1}),
                                    "Bascule-Debug: timing\r\nTraceparent: " + trace + "\r\n"));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->fields.at("traceparent"), trace);
  EXPECT_THAT(told->fields.at("bascule-timing"),
              ::testing::MatchesRegex("queue=[0-9.]+;prepare=[0-9.]+;run=[0-9.]+;finish=[0-9.]+"));
  const auto untold =
      client.ask(post("/v2/models/add_one/infer", infer_json({1}), "traceparent: 00-no-trace-01\r\n"));
  ASSERT_TRUE(untold);
  EXPECT_FALSE(untold->fields.contains("traceparent"));
  EXPECT_FALSE(untold->fields.contains("bascule-timing"));
  const auto refused = client.ask(get("/nowhere", "traceparent: " + trace + "\r\n"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->fields.at("traceparent"), trace);
}

TEST(Server, CanServeMetricsAlone) {
  Loopback loopback;
  auto metrics = Server::listen({.port = 0, .metrics_only = true}, loopback.services());
  ASSERT_TRUE(metrics);
  (*metrics)->start();
  EXPECT_EQ(loopback.connect().ask(post("/v2/models/add_one/infer", infer_json({1})))->status, 200);
  Client scraper((*metrics)->port());
  const auto text = scraper.ask(get("/metrics"));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->status, 200);
  EXPECT_THAT(text->body, HasSubstr(R"(nv_inference_count{model="add_one",version="1"} 1)"));
  for (const std::string_view path : {"/", "/v2/models", "/v2/health/live", "/nowhere"}) {
    EXPECT_EQ(scraper.ask(get(path))->status, 404) << path;
  }
  EXPECT_EQ(scraper.ask(post("/v2/models/add_one/infer", infer_json({1})))->status, 404);
}

TEST(Server, SaysWhyItCannotListen) {
  Loopback loopback;
  const auto at = [&](std::string host, std::uint16_t port) {
    auto server = Server::listen({.host = std::move(host), .port = port}, loopback.services());
    return server ? "listens" : server.error().message;
  };
  EXPECT_THAT(at("127.0.0.1", loopback.server().port()),
              AllOf(HasSubstr(std::to_string(loopback.server().port())), HasSubstr("in use"),
                    HasSubstr("--http-port")));
  auto second =
      Server::listen({.port = loopback.server().port(), .port_flag = "--metrics-port"}, loopback.services());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("--metrics-port"));
  EXPECT_THAT(at("example", 0), HasSubstr("'example' is not an address"));
  EXPECT_THAT(at("192.0.2.1", 0), HasSubstr("not an address of this machine"));
  EXPECT_EQ(at("localhost", 0), "listens");
}

TEST(Server, TellsWhenToComeBack) {
  std::string head;
  write_head(head, {.status = 429, .retry_after = std::chrono::microseconds(1'200'400)}, {}, "s");
  EXPECT_THAT(head, HasSubstr("\r\nRetry-After: 2\r\nretry-after-ms: 1201\r\n"));
}

TEST(Server, ARequestsOwnTimeoutEndsItsWait) {
  Loopback loopback;
  Client client = loopback.connect();
  Client first = loopback.connect();
  Client second = loopback.connect();
  ASSERT_TRUE(first.send(post("/v2/models/slow/infer", infer_json({1}))));
  ASSERT_TRUE(second.send(post("/v2/models/slow/infer", infer_json({1}))));
  loopback.wait_for_slow(2);  // both instances are taken
  const auto late = client.ask(post("/v2/models/slow/infer", infer_json({1}), "Request-Timeout-Ms: 5\r\n"));
  ASSERT_TRUE(late);
  EXPECT_EQ(late->status, 504);
  EXPECT_THAT(late->body, HasSubstr("it was not run"));
  const auto inside = client.ask(post(
      "/v2/models/slow/infer",
      R"({"parameters":{"timeout":3000},"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]})"));
  ASSERT_TRUE(inside);
  EXPECT_EQ(inside->status, 504);
  const auto bad = client.ask(post("/v2/models/slow/infer", infer_json({1}), "Request-Timeout-Ms: soon\r\n"));
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->status, 400);
  loopback.let_slow_run();
  EXPECT_EQ(first.read()->status, 200);
  EXPECT_EQ(second.read()->status, 200);
}

}  // namespace
}  // namespace bascule::http

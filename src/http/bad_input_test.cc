#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/loopback.h"

namespace bascule::http {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::string_view kInfer = "/v2/models/add_one/infer";

// Sends `request` on a new connection and reads the answer; the server must live on.
WireReply answer_to(const Loopback& loopback, std::string_view request) {
  Client client = loopback.connect();
  client.send(request);
  auto reply = client.read();
  EXPECT_TRUE(reply.has_value()) << request.substr(0, 200);
  return reply.value_or(WireReply{});
}

TEST(BadInput, GetsAStatusAndASentence) {
  const Loopback loopback;
  struct Case {
    std::string request;
    int status;
    std::string says;
  };
  const std::string host = "Host: test\r\n";
  const std::string long_text(9000, 'a');
  std::string many_fields;
  for (int i = 0; i < 100; ++i) many_fields += fmt::format("X-{}: {}\r\n", i, std::string(800, 'b'));
  const Case cases[] = {
      {"\x16\x03\x01\x02garbage\r\n\r\n", 400, "not an HTTP/1.1 request"},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", 505, "not an HTTP/1.1 request"},
      {"GET / HTTP/1.1\r\n\r\n", 400, "Host"},
      {get("/", "Host: other\r\n"), 400, "two Host"},
      {"GET /" + long_text + " HTTP/1.1\r\n" + host + "\r\n", 414, "9001 bytes; the limit is 8192"},
      {get("/", "X-Long: " + long_text + "\r\n"), 431, "9000 bytes; the limit is 8192"},
      {get("/", many_fields), 431, "65536"},
      {get("/nothing"), 404, "/nothing"},
      {post("/metrics", ""), 405, "GET, HEAD"},
      {post("/nothing", "small body"), 404, "/nothing"},
      {"BREW /predict HTTP/1.1\r\n" + host + "\r\n", 405, "BREW"},
      {get("/v2/health/live", "Content-Length: -1\r\n"), 400, "not an HTTP/1.1 request"},
      {get("/v2/health/live", "Content-Length: 99999999999999999999\r\n"), 400, "not an HTTP/1.1"},
      {get("/v2/health/live", "Content-Length: 1\r\nContent-Length: 2\r\n"), 400, "not an HTTP/1.1"},
      {get("/v2/health/live", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, "not an HTTP/1.1"},
      {get("/v2/health/live", "Content-Length: 100000\r\n"), 413, "100000 bytes; the limit"},
      {"POST /predict HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501,
       "Transfer-Encoding 'gzip'"},
      {post(kInfer, "x", "Content-Encoding: br\r\n"), 415, "Content-Encoding 'br'"},
      {post(kInfer, "x", "Content-Encoding: gzip, gzip\r\n"), 415, "'gzip, gzip'"},
      {post(kInfer, "x", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"), 415,
       "two Content-Encoding"},
      {post(kInfer, "x", "Content-Encoding: gzip\r\n"), 400, "gzip-compressed"},
      {post(kInfer, "x", "Expect: miracles\r\n"), 417, "miracles"},
      {post(kInfer, "x", "Inference-Header-Content-Length: -3\r\n"), 400, "'-3'"},
      {post(kInfer, "x", "Inference-Header-Content-Length: two\r\n"), 400, "'two'"},
      {post(kInfer, "{}", "Inference-Header-Content-Length: 3000000000\r\n"), 400, "3000000000"},
      {post(kInfer, ""), 400, ""},
      {post("/v2/models/%/infer", "{}"), 400, "percent"},
      {post("/v2/models/../../etc/infer", "{}"), 404, ""},
      {post("/v2/models/..%2F..%2Fetc/infer", infer_json({1})), 404, ""},
  };
  for (const Case& item : cases) {
    const WireReply reply = answer_to(loopback, item.request);
    EXPECT_EQ(reply.status, item.status) << item.request.substr(0, 100) << reply.body;
    EXPECT_THAT(reply.body, AllOf(HasSubstr(R"({"error":")"), HasSubstr(item.says)));
  }
  EXPECT_EQ(answer_to(loopback, post("/metrics", "")).fields.at("allow"), "GET, HEAD");
  EXPECT_THAT(loopback.exposition(), HasSubstr(R"(reason="method_not_allowed",version=""} 3)"));
}

TEST(BadInput, TooLargeIsRefusedBeforeItIsRead) {
  const Loopback loopback({.max_json_bytes = 1000, .max_binary_bytes = 2000});
  const std::string head = "POST /v2/models/add_one/infer HTTP/1.1\r\nHost: test\r\n";
  EXPECT_THAT(answer_to(loopback, head + "Content-Length: 100001\r\n\r\n").body,
              AllOf(HasSubstr("100001"), HasSubstr("1000"), HasSubstr("binary")));
  EXPECT_EQ(answer_to(loopback, head + "Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n").status, 413);
  EXPECT_EQ(answer_to(loopback, head + "Inference-Header-Content-Length: 7\r\nContent-Length: 2001\r\n\r\n" +
                                    std::string(2001, ' '))
                .status,
            413);
  EXPECT_EQ(answer_to(loopback, post("/predict", std::string(2001, 'x'))).status, 413);
  const std::string chunk = fmt::format("1f4\r\n{}\r\n", std::string(500, ' '));
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(answer_to(loopback, chunked + chunk + chunk + chunk).status, 413);
  EXPECT_EQ(answer_to(loopback, chunked + chunk + chunk + "0\r\n\r\n").status, 400);  // fits; is no JSON
}

TEST(BadInput, AClientThatSendsOnStillSeesTheAnswer) {
  const Loopback loopback({.max_json_bytes = 1000});
  for (int i = 0; i < 10; ++i) {
    Client client = loopback.connect();
    EXPECT_TRUE(client.send(post(kInfer, std::string(3U << 20U, ' '))));
    const auto reply = client.read();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 413);
    EXPECT_TRUE(client.ends());
  }
}

TEST(BadInput, TruncatedBodiesAreToldSo) {
  const Loopback loopback;
  const std::string whole = post(kInfer, infer_json({1, 2, 3}));
  for (const std::size_t cut : {1U, 20U}) {
    Client client = loopback.connect();
    client.send(std::string_view(whole).substr(0, whole.size() - cut));
    client.finish_sending();
    const auto reply = client.read();
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 400);
    EXPECT_THAT(reply->body, HasSubstr("Content-Length announced"));
    EXPECT_TRUE(client.ends());
  }
  Client client = loopback.connect();
  client.send(
      "POST /v2/models/add_one/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
  client.finish_sending();
  EXPECT_EQ(client.read()->status, 400);
}

TEST(BadInput, BrokenChunksAreRefused) {
  const Loopback loopback;
  const std::string head =
      "POST /v2/models/add_one/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& body : {std::string("zz\r\nab\r\n"), std::string("3\r\nabcdef\r\n0\r\n\r\n"),
                                  std::string("ffffffffffffffffff\r\n"), "5;" + std::string(100'000, 'e')}) {
    EXPECT_EQ(answer_to(loopback, head + body).status, 400) << body.substr(0, 30);
  }
  EXPECT_THAT(answer_to(loopback, head + "5;" + std::string(100'000, 'e')).body,
              HasSubstr("longer than the limit of 65536 bytes"));
}

TEST(BadInput, AChunkThatAnnouncesTooMuchIsNotWaitedFor) {
  const Loopback loopback({.max_json_bytes = 1000});
  const std::string head =
      "POST /v2/models/add_one/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* const size : {"ffffffffffffffff", "7fffffffffffffff", "3e9"}) {
    const WireReply reply = answer_to(loopback, head + "1\r\n{\r\n" + size + "\r\nab");
    EXPECT_EQ(reply.status, 413) << size;
    EXPECT_THAT(reply.body, HasSubstr("the limit for JSON is 1000")) << size;
  }
}

TEST(BadInput, AMillionChunksOfOneByteAreReadInLinearTime) {
  const Loopback loopback;
  Client client = loopback.connect();
  std::string request =
      "POST /v2/models/add_one/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string json = infer_json({4});
  json.resize(1'000'000, ' ');
  for (const char c : json) {
    request += "1\r\n";
    request += c;
    request += "\r\n";
  }
  const auto reply = client.ask(request + "0\r\n\r\n");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200) << reply->body;
}

TEST(BadInput, StallingIsBounded) {
  const Loopback loopback({.idle_timeout = milliseconds(100), .read_timeout = milliseconds(50)});
  Client idle = loopback.connect();
  EXPECT_TRUE(idle.ends());
  Client head = loopback.connect();
  EXPECT_EQ(head.ask("GET / HTTP/1.1\r\nHost: te")->status, 408);
  EXPECT_TRUE(head.ends());
  Client body = loopback.connect();
  EXPECT_EQ(body.ask("POST /predict HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc")->status, 408);
  EXPECT_TRUE(body.ends());
  EXPECT_THAT(loopback.exposition(), HasSubstr(R"(code="deadline_exceeded")"));
}

TEST(BadInput, ConnectionsBeyondTheLimitAreTurnedAway) {
  const Loopback loopback({.max_connections = 1});
  Client first = loopback.connect();
  ASSERT_TRUE(first.ask(get("/v2/health/live")));
  Client second = loopback.connect();
  EXPECT_EQ(second.read()->status, 503);
  EXPECT_TRUE(second.ends());
  EXPECT_EQ(first.ask(get("/v2/health/live"))->status, 200);
}

TEST(BadInput, ClientsThatVanishDoNoHarm) {
  Loopback loopback;
  const std::string whole = post(kInfer, infer_json({1}));
  for (std::size_t length = 1; length < whole.size(); length += 5) {
    Client client = loopback.connect();
    client.send(std::string_view(whole).substr(0, length));
    client.reset();
  }
  {
    Client client = loopback.connect();
    client.send(post("/v2/models/slow/infer", infer_json({1})));
    loopback.wait_for_slow(1);
    client.reset();
  }
  loopback.let_slow_run();
  EXPECT_EQ(answer_to(loopback, whole).status, 200);
}

// Every mutation is answered or its connection closed, and the server lives on.
TEST(BadInput, MutationsOfAValidRequestNeverHangOrCrash) {
  const Loopback loopback;
  const unsigned seed = 20240607;
  std::mt19937 random(seed);
  const auto below = [&random](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  const std::string chunked =
      "POST /v2/models/add_one/infer HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\n{\"inp\r\n0\r\n\r\n";
  const std::string valid[] = {post(kInfer, infer_json({1, 2})), get("/v2/models/add_one/versions/1"),
                               chunked,
                               post("/predict?conf=0.5", "\xff\xd8\xff\xe0", "Content-Type: image/jpeg\r\n")};
  static constexpr std::string_view kPieces[] = {"\r\n",
                                                 "\r\n\r\n",
                                                 "%",
                                                 ":",
                                                 " ",
                                                 "0",
                                                 "HTTP/1.1",
                                                 "\n",
                                                 "\xff",
                                                 "Content-Length: 9\r\n",
                                                 "Transfer-Encoding: chunked\r\n"};
  for (int round = 0; round < 300; ++round) {
    std::string request = valid[below(std::size(valid))];
    for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
      const std::size_t at = below(request.size());
      switch (below(4)) {
        case 0: request[at] = static_cast<char>(below(256)); break;
        case 1: request.erase(at, 1 + below(8)); break;
        case 2: request.insert(at, kPieces[below(std::size(kPieces))]); break;
        default: request.insert(at, request.substr(below(request.size()), below(40)));
      }
      if (request.empty()) request = "\r\n";
    }
    Client client = loopback.connect();
    client.send(request);
    client.finish_sending();
    for (int replies = 0; client.read(); ++replies) ASSERT_LT(replies, 100) << "seed " << seed;
  }
  EXPECT_EQ(answer_to(loopback, valid[0]).status, 200);
}

TEST(Stop, FinishesWhatIsInFlight) {
  Loopback loopback;
  Client idle = loopback.connect();
  ASSERT_TRUE(idle.ask(get("/v2/health/live")));
  Client busy = loopback.connect();
  ASSERT_TRUE(busy.send(post("/v2/models/slow/infer", infer_json({1}))));
  loopback.wait_for_slow(1);
  const std::jthread stopping([&loopback] { loopback.server().stop(std::chrono::seconds(10)); });
  EXPECT_TRUE(idle.ends());  // so it is stopping now
  loopback.let_slow_run();
  const auto reply = busy.read();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->fields.at("connection"), "close");
  EXPECT_TRUE(busy.ends());
}

TEST(Stop, CutsOffWhatTakesTooLong) {
  Loopback loopback;
  Client busy = loopback.connect();
  ASSERT_TRUE(busy.send(post("/v2/models/slow/infer", infer_json({1}))));
  Client reading = loopback.connect();
  ASSERT_TRUE(reading.send("POST /predict HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc"));
  loopback.wait_for_slow(1);
  loopback.server().stop(milliseconds(20));
  EXPECT_FALSE(busy.read().has_value());
  EXPECT_FALSE(reading.read().has_value());
  loopback.let_slow_run();  // its answer finds nobody
}

TEST(Stop, WorksOnSeveralLoops) {
  Loopback loopback({.io_threads = 3});
  std::vector<Client> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(loopback.connect());
    ASSERT_EQ(clients.back().ask(post(kInfer, infer_json({1})))->status, 200);
  }
  loopback.server().stop(std::chrono::seconds(10));
  for (Client& client : clients) EXPECT_TRUE(client.ends());
}

}  // namespace
}  // namespace bascule::http

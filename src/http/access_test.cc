// Every route of the table, asked by everyone: a route that is added is covered without a word here.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "access/gate.h"
#include "http/loopback.h"
#include "http/route.h"

namespace bascule::http {
namespace {

using access::Role;
using ::testing::HasSubstr;
using ::testing::Not;

struct Asker {
  std::string_view key;
  std::optional<Role> role;  // nothing: not known
};
constexpr Asker kAskers[] = {{"", std::nullopt},
                             {"wrong", std::nullopt},
                             {"k-infer", Role::kInfer},
                             {"k-read", Role::kRead},
                             {"k-admin", Role::kAdmin}};

std::shared_ptr<access::Gate> gate_with_keys(access::GateOptions options = {}) {
  static const SteadyClock clock;
  auto gate = std::make_shared<access::Gate>(clock, std::move(options));
  std::vector<access::KeyEntry> entries;
  for (const Asker& asker : kAskers) {
    if (!asker.role) continue;
    entries.push_back({.name = std::string(access::to_string(*asker.role)),
                       .digest = access::digest_of(asker.key),
                       .role = *asker.role});
  }
  gate->set_keys(entries);
  return gate;
}

std::string path_of(const Route& route) {
  std::string path(route.pattern);
  for (std::size_t open = 0; (open = path.find('{')) != std::string::npos;) {
    const std::size_t close = path.find('}', open);
    const std::string_view name = std::string_view(path).substr(open + 1, close - open - 1);
    path.replace(open, close - open + 1, name == "model" ? "add_one" : name == "version" ? "1" : "some-one");
  }
  return path;
}

// All the ways to write the same target.
std::vector<std::string> targets_of(const Route& route) {
  const std::string path = path_of(route);
  std::vector<std::string> all = {path, path + "?x=1", "http://elsewhere:1" + path,
                                  "https://elsewhere" + path + "?"};
  std::string encoded = path;
  for (std::size_t at = 0; (at = encoded.find("add_one", at)) != std::string::npos; at += 7) {
    encoded.replace(at, 7, "%61dd%5Fon%65");
  }
  all.push_back(encoded);
  return all;
}

std::string request(std::string_view method, std::string_view target, std::string_view fields) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n{}\r\n", method, target, fields);
}

std::vector<std::string_view> methods_of(const Route& route) {
  if (route.method == Method::kGet) return {"GET", "HEAD"};
  return {"POST"};
}

// Each asker's call, with the key in either field.
void expect_the_role_to_decide(Client& client, const Route& route, std::string_view method,
                               const std::string& target) {
  for (const Asker& asker : kAskers) {
    for (const std::string_view field : {"Authorization: Bearer ", "x-api-key: "}) {
      const std::string sent = asker.key.empty() ? "" : fmt::format("{}{}\r\n", field, asker.key);
      ASSERT_TRUE(client.send(request(method, target, sent)));
      const auto reply = client.read(method == "HEAD");
      ASSERT_TRUE(reply) << method << ' ' << target;
      const std::string what = fmt::format("{} {} with '{}': {}", method, target, asker.key, reply->body);
      const bool open = route.who == access::RouteClass::kHealth;
      if (open || (asker.role && access::may(*asker.role, route.who))) {
        EXPECT_THAT(reply->status, Not(::testing::AnyOf(401, 403))) << what;
      } else {
        EXPECT_EQ(reply->status, asker.role ? 403 : 401) << what;
      }
      EXPECT_EQ(reply->fields.contains("www-authenticate"), reply->status == 401) << what;
    }
  }
}

TEST(Access, EveryRouteAsksForARoleBeforeAnythingElse) {
  Loopback loopback({.gate = gate_with_keys()});
  Client client = loopback.connect();
  for (const Route& route : routes()) {
    for (const std::string& target : targets_of(route)) {
      for (const std::string_view method : methods_of(route)) {
        ASSERT_NO_FATAL_FAILURE(expect_the_role_to_decide(client, route, method, target));
      }
    }
  }
}

// What looks like a route and is none stays one, whoever asks.
TEST(Access, NothingIsServedBesideTheTable) {
  Loopback loopback({.gate = gate_with_keys()});
  Client client = loopback.connect();
  for (const Route& route : routes()) {
    if (route.pattern == "/") continue;
    const std::string path = path_of(route);
    const std::string_view method = methods_of(route)[0];
    for (const std::string& target :
         {path + "/", "/" + path, "/." + path, "/x/.." + path, path + "%00", path + ";x"}) {
      for (const Asker& asker : kAskers) {
        const auto reply = client.ask(request(method, target, fmt::format("x-api-key: {}\r\n", asker.key)));
        ASSERT_TRUE(reply) << target;
        // Where what was added makes it the name of another model, the gate decides as for any name.
        if (asker.role) {
          EXPECT_THAT(reply->status, ::testing::AnyOf(400, 403, 404)) << target;
        } else {
          EXPECT_THAT(reply->status, ::testing::AnyOf(401, 404)) << target;
        }
      }
    }
    // Another method of the same path.
    const auto reply = client.ask(request("DELETE", path, "x-api-key: k-admin\r\n"));
    EXPECT_EQ(reply->status, 405) << path;
  }
}

TEST(Access, ThePortOfMetricsAsksToo) {
  Loopback loopback({.gate = gate_with_keys()});
  auto metrics =
      Server::listen({.port = 0, .metrics_only = true, .gate = gate_with_keys()}, loopback.services());
  ASSERT_TRUE(metrics);
  (*metrics)->start();
  Client client((*metrics)->port());
  EXPECT_EQ(client.ask(get("/metrics"))->status, 401);
  EXPECT_EQ(client.ask(get("/metrics", "x-api-key: k-infer\r\n"))->status, 403);
  EXPECT_EQ(client.ask(get("/metrics", "Authorization: Bearer k-read\r\n"))->status, 200);
}

TEST(Access, IsRefusedBeforeTheBodyIsRead) {
  Loopback loopback({.gate = gate_with_keys()});
  Client client = loopback.connect();
  const auto reply =
      client.ask("POST /v2/models/add_one/infer HTTP/1.1\r\nHost: t\r\nContent-Length: 50000000\r\n\r\n");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 401);
  EXPECT_THAT(reply->body, HasSubstr("Authorization: Bearer KEY"));
}

TEST(Access, ProbesWithoutAKeyLearnNoNames) {
  Loopback loopback({.gate = gate_with_keys()});
  Client client = loopback.connect();
  const auto probe = client.ask(get("/v2/health/ready"));
  EXPECT_EQ(probe->status, 503);
  EXPECT_THAT(probe->body, Not(HasSubstr("loading")));
  EXPECT_THAT(client.ask(get("/v2/health/ready", "x-api-key: k-read\r\n"))->body, HasSubstr("loading"));
}

TEST(Access, AKeyHasItsRate) {
  static const SteadyClock clock;
  auto gate = std::make_shared<access::Gate>(clock);
  gate->set_keys({{.name = "slow", .digest = access::digest_of("k"), .requests_per_second = 0.01}});
  Loopback loopback({.triton_statuses = true, .gate = gate});
  Client client = loopback.connect();
  const std::string ask = post("/v2/models/add_one/infer", infer_json({1}), "x-api-key: k\r\n");
  EXPECT_EQ(client.ask(ask)->status, 200);
  const auto late = client.ask(ask);
  ASSERT_TRUE(late);
  EXPECT_EQ(late->status, 429);
  EXPECT_THAT(late->fields.at("retry-after"), ::testing::AnyOf("99", "100"));
  EXPECT_EQ(client.ask(get("/v2/health/live", "x-api-key: k\r\n"))->status, 200);
}

TEST(Access, BrowsersAreToldWhichPagesMayAsk) {
  Loopback loopback({.gate = gate_with_keys({.origins = {"https://shop.example"}})});
  Client client = loopback.connect();
  const std::string_view ours = "Origin: https://shop.example\r\n";
  const std::string_view foreign = "Origin: https://evil.example\r\n";
  const std::string_view method = "Access-Control-Request-Method: POST\r\n";
  const auto preflight =
      client.ask(request("OPTIONS", "/v2/models/add_one/infer", fmt::format("{}{}", ours, method)));
  ASSERT_TRUE(preflight);
  EXPECT_EQ(preflight->status, 204);
  EXPECT_EQ(preflight->fields.at("access-control-allow-origin"), "https://shop.example");
  EXPECT_EQ(preflight->fields.at("vary"), "Origin");
  EXPECT_EQ(preflight->fields.at("access-control-allow-methods"), "GET, HEAD, POST");
  EXPECT_THAT(preflight->fields.at("access-control-allow-headers"), HasSubstr("Authorization"));
  EXPECT_FALSE(preflight->fields.contains("content-length"));
  const auto refused = client.ask(request("OPTIONS", "/", fmt::format("{}{}", foreign, method)));
  EXPECT_EQ(refused->status, 403);
  EXPECT_FALSE(refused->fields.contains("access-control-allow-origin"));
  EXPECT_EQ(client.ask(request("OPTIONS", "/", ours))->status, 405);

  // Answers and refusals alike can be read by the page.
  for (const std::string_view key : {"", "x-api-key: k-infer\r\n"}) {
    const auto reply =
        client.ask(post("/v2/models/add_one/infer", infer_json({1}), fmt::format("{}{}", ours, key)));
    EXPECT_EQ(reply->status, key.empty() ? 401 : 200);
    EXPECT_EQ(reply->fields.at("access-control-allow-origin"), "https://shop.example");
    EXPECT_THAT(reply->fields.at("access-control-expose-headers"), HasSubstr("Retry-After"));
  }
  // A right key does not make a foreign page less foreign.
  const auto stolen = client.ask(
      post("/v2/models/add_one/infer", infer_json({1}), fmt::format("{}x-api-key: k-admin\r\n", foreign)));
  EXPECT_EQ(stolen->status, 403);
  EXPECT_FALSE(stolen->fields.contains("access-control-allow-origin"));
  EXPECT_FALSE(client.ask(get("/v2/health/live"))->fields.contains("access-control-allow-origin"));
}

TEST(Access, NoForeignPagePostsAnything) {
  Loopback loopback;
  Client client = loopback.connect();
  for (const Route& route : routes()) {
    for (const std::string& target : targets_of(route)) {
      const auto reply =
          client.ask(request(methods_of(route)[0], target, "Origin: https://evil.example\r\n"));
      ASSERT_TRUE(reply) << target;
      EXPECT_EQ(reply->status == 403, route.method == Method::kPost) << target << ": " << reply->body;
      EXPECT_FALSE(reply->fields.contains("access-control-allow-origin"));
    }
  }
}

TEST(Access, BeyondLoopbackNothingIsAdministered) {
  Loopback loopback;
  auto open = Server::listen({.host = "0.0.0.0", .port = 0}, loopback.services());
  ASSERT_TRUE(open);
  (*open)->start();
  Client client((*open)->port());
  for (const Route& route : routes()) {
    const bool administration =
        route.who == access::RouteClass::kControl || route.who == access::RouteClass::kTrace ||
        route.who == access::RouteClass::kLogs || route.who == access::RouteClass::kApplications;
    for (const std::string& target : targets_of(route)) {
      const auto reply = client.ask(request(methods_of(route)[0], target, ""));
      ASSERT_TRUE(reply) << target;
      EXPECT_EQ(reply->status == 401, administration) << target << ": " << reply->body;
      if (administration) {
        EXPECT_THAT(reply->body, HasSubstr("--api-keys FILE"));
      }
    }
  }
}

}  // namespace
}  // namespace bascule::http

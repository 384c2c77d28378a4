#include "http/openapi.h"

#include <set>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "http/loopback.h"
#include "http/route.h"

namespace bascule::http {
namespace {

using nlohmann::json;

TEST(OpenApi, HasEveryRouteAndNothingElse) {
  const json document = json::parse(openapi_document("1.2.3"));
  EXPECT_EQ(document["info"]["version"], "1.2.3");
  std::set<std::string> said;
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      EXPECT_TRUE(said.insert(method + " " + path).second) << path;
      EXPECT_FALSE(operation["summary"].get<std::string>().empty());
    }
  }
  std::set<std::string> served;
  for (const Route& route : routes()) {
    served.insert((route.method == Method::kGet ? "get " : "post ") + std::string(route.pattern));
  }
  EXPECT_EQ(said, served);
}

void expect_resolved(const json& document, const json& at) {
  if (at.is_object() && at.contains("$ref")) {
    const std::string pointer = at["$ref"].get<std::string>().substr(1);
    EXPECT_TRUE(document.contains(json::json_pointer(pointer))) << pointer;
  }
  if (!at.is_structured()) return;
  for (const json& below : at) expect_resolved(document, below);
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const json document = json::parse(openapi_document("1"));
  expect_resolved(document, document);
}

TEST(OpenApi, IsServed) {
  const Loopback loopback;
  const auto reply = loopback.connect().ask(get("/openapi.json"));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(json::parse(reply->body)["openapi"], "3.0.3");
}

}  // namespace
}  // namespace bascule::http

#include "http/route.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::http {
namespace {

RequestHead head_of(Method method, std::string_view target) {
  RequestHead head{.method = method, .method_name = method == Method::kPost ? "POST" : "GET"};
  set_target(head, target);
  return head;
}

TEST(Route, FindsEveryRouteOfTheTableByItsOwnPattern) {
  for (const Route& route : routes()) {
    std::string path(route.pattern);
    for (const std::string_view name : {"{model}", "{version}", "{owner}", "{project}", "{deployment}"}) {
      const std::size_t at = path.find(name);
      if (at != std::string::npos) path.replace(at, name.size(), "abcd");
    }
    const auto match = match_route(head_of(route.method, path));
    ASSERT_TRUE(match.has_value()) << path;
    EXPECT_EQ(match->route, &route) << path;
    const auto wrong = match_route(head_of(Method::kOther, path));
    ASSERT_FALSE(wrong.has_value()) << path;
    EXPECT_EQ(wrong.error().status, 405U);
    EXPECT_THAT(wrong.error().error.fields.expected,
                ::testing::HasSubstr(route.method == Method::kGet ? "GET, HEAD" : "POST"));
  }
}

TEST(Route, DecodesWhatTheBracesTake) {
  const auto match = match_route(head_of(Method::kPost, "/v2/models/a%20b%2Fc%00/versions/%31/infer?x=%31"));
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->model, std::string("a b/c\0", 6));
  EXPECT_EQ(match->version, "1");
}

TEST(Route, TakesTheLastPartOfAnOwnersPathAsTheModel) {
  const auto match = match_route(head_of(Method::kPost, "/api/models/some-one/my-project/Model_7/predict"));
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->model, "Model_7");
}

TEST(Route, TakesADeploymentAsTheModel) {
  const auto match = match_route(head_of(Method::kPost, "/api/deployments/some-one/Model_7/predict"));
  ASSERT_TRUE(match.has_value());
  EXPECT_EQ(match->model, "Model_7");
  const auto both = match_route(head_of(Method::kOther, "/"));
  ASSERT_FALSE(both.has_value());
  EXPECT_EQ(both.error().error.fields.expected, "POST, GET, HEAD");
}

TEST(Route, RefusesWithAStatusAndASentence) {
  struct Case {
    Method method;
    std::string_view target;
    unsigned status;
  };
  const Case cases[] = {
      {Method::kGet, "/nothing", 404},
      {Method::kGet, "", 404},
      {Method::kGet, "*", 404},
      {Method::kGet, "//", 404},
      {Method::kGet, "/v2/", 404},
      {Method::kGet, "/v2/models/", 404},
      {Method::kGet, "/v2/models//ready", 404},
      {Method::kGet, "/v2/models/a/versions", 404},
      {Method::kGet, "/v2/models/a/b/c/d/e/f/g", 404},
      {Method::kGet, "/v2/models/..%2f/versions/1/2", 404},
      {Method::kPost, "/api/models/abc/project/m/predict", 404},
      {Method::kPost, "/api/models/Abcd/project/m/predict", 404},
      {Method::kPost, "/api/models/abcd/-project/m/predict", 404},
      {Method::kPost, "/api/models/abcd/pro--ject/m/predict", 404},
      {Method::kGet, "/api/deployments/abc/m/health", 404},
      {Method::kPost, "/api/deployments/abcd//predict", 404},
      {Method::kPost, "/api/models/abcd/project-/m/predict", 404},
      {Method::kGet, "/v2/models/%", 400},
      {Method::kGet, "/v2/models/a%4", 400},
      {Method::kGet, "/v2/models/%zz", 400},
      {Method::kGet, "/predict", 405},
      {Method::kPost, "/metrics", 405},
  };
  for (const Case& item : cases) {
    const auto match = match_route(head_of(item.method, item.target));
    ASSERT_FALSE(match.has_value()) << item.target;
    EXPECT_EQ(match.error().status, item.status) << item.target;
    EXPECT_THAT(match.error().error.message, ::testing::EndsWith(".")) << item.target;
  }
}

TEST(Route, SplitsTargets) {
  RequestHead head;
  set_target(head, "/a/b?c=d?e");
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "c=d?e");
  set_target(head, "http://host:80/v2?x");
  EXPECT_EQ(head.path, "/v2");
  EXPECT_EQ(head.query, "x");
  set_target(head, "http://host");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "");
}

}  // namespace
}  // namespace bascule::http

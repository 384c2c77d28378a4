#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "protocol/v2/v2.h"

namespace bascule::protocol::v2 {
namespace {

using content::ModelState;
using testing::HasSubstr;

RequestBody body_of(std::string_view text) {
  auto memory = std::make_shared<std::string>(text);
  return {.bytes = std::as_bytes(std::span(*memory)), .owner = memory};
}

Result<bool> index_request(std::string_view text) { return parse_index_request(body_of(text)); }
Result<void> control_request(std::string_view text) { return check_control_request(body_of(text)); }

TEST(IndexRequest, AsksForAllUnlessItSaysReady) {
  EXPECT_EQ(index_request(""), false);
  EXPECT_EQ(index_request("{}"), false);
  EXPECT_EQ(index_request(R"({"ready":false})"), false);
  EXPECT_EQ(index_request(R"({"ready":true})"), true);
  EXPECT_EQ(index_request(R"( { "other" : [1,{"ready":false}] , "ready" : true } )"), true);
}

TEST(IndexRequest, WhatIsNoSuchObjectIsRefused) {
  for (const char* wrong :
       {"[]", "true", "{", R"({"ready":1})", R"({"ready":"true"})", R"({"ready":null})",
        R"({"ready":true} {})", R"({"ready" true})", R"({"other":[1,})", " ", "{\"\xff\":1}"}) {
    const auto read = index_request(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, Code::kInvalidArgument) << wrong;
    EXPECT_FALSE(read.error().message.empty()) << wrong;
  }
}

TEST(IndexRequest, EndlessDepthIsRefused) {
  const auto read = index_request(R"({"x":)" + std::string(100'000, '['));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason, Reason::kJsonDepth);
}

TEST(Index, SaysWhereEveryVersionIs) {
  const std::vector<content::ModelStatus> models = {
      {.name = "a", .version = "1", .state = ModelState::kReady, .reason = ""},
      {.name = "b", .version = "2", .state = ModelState::kLoading, .reason = ""},
      {.name = "b", .version = "3", .state = ModelState::kFailed, .reason = "The \"file\" is\nbad."},
      {.name = "c", .version = "1", .state = ModelState::kUnloaded, .reason = "It was unloaded on request."}};
  const auto all = nlohmann::json::parse(write_index(models, false));
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0], nlohmann::json::parse(R"({"name":"a","version":"1","state":"READY","reason":""})"));
  EXPECT_EQ(all[1]["state"], "LOADING");
  EXPECT_EQ(all[2]["state"], "UNAVAILABLE");
  EXPECT_EQ(all[2]["reason"], "The \"file\" is\nbad.");
  EXPECT_EQ(all[3]["state"], "UNAVAILABLE");
  const auto ready = nlohmann::json::parse(write_index(models, true));
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0]["name"], "a");
  EXPECT_EQ(write_index({}, false), "[]");
}

TEST(ControlRequest, NothingAskedForIsFine) {
  EXPECT_TRUE(control_request(""));
  EXPECT_TRUE(control_request("{}"));
  EXPECT_TRUE(control_request(R"({"parameters":{}})"));
  EXPECT_TRUE(control_request(R"({"parameters":{"unload_dependents":true}})"));
  EXPECT_TRUE(control_request(R"({"id":"x","parameters":{"unload_dependents":false}})"));
}

TEST(ControlRequest, WhatIsNotDoneIsRefusedByName) {
  EXPECT_THAT(control_request(R"({"parameters":{"file:1/model.onnx":"aGk="}})").error().message,
              HasSubstr("'file:1/model.onnx' is not taken; known are"));
  EXPECT_THAT(control_request(R"({"parameters":{"what":1}})").error().message,
              HasSubstr("'what' is not taken; known are unload_dependents"));
}

TEST(ControlRequest, WhatIsNoSuchObjectIsRefused) {
  for (const char* wrong : {"[]", "{", R"({"parameters":[]})", R"({"parameters":{"unload_dependents":1}})",
                            R"({"parameters":{}} x)", R"({"parameters":{"unload_dependents":true})"}) {
    const auto read = control_request(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, Code::kInvalidArgument) << wrong;
  }
}

}  // namespace
}  // namespace bascule::protocol::v2

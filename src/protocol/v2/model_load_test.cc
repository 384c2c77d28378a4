#include "protocol/v2/model_load.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <grpc_service.pb.h>

#include "protocol/base64.h"

namespace bascule::protocol::v2 {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

RequestBody body_of(const std::string& bytes) {
  return {.bytes = std::as_bytes(std::span(bytes)), .owner = nullptr};
}

std::string refusal(const std::string& parameters) {
  const std::string text = fmt::format(R"({{"parameters":{}}})", parameters);
  const auto call = parse_load_request(body_of(text), "m");
  if (call) return "it was accepted";
  EXPECT_EQ(call.error().reason, Reason::kLoadFailed);
  EXPECT_EQ(call.error().fields.name, "m");
  return error_text(call.error(), Dialect::kV2);
}

TEST(LoadRequest, MayBringNothing) {
  for (const std::string text :
       {"", "{}", R"({"parameters":{}})", R"({"parameters":{"unload_dependents":true}})"}) {
    const auto call = parse_load_request(body_of(text), "m");
    ASSERT_TRUE(call) << text;
    EXPECT_EQ(call->model, "m");
    EXPECT_EQ(call->with, nullptr);
  }
}

TEST(LoadRequest, BringsAConfigurationAndFiles) {
  const std::string text =
      R"({"parameters":{"config":"{\"max_batch_size\":\"16\"}","file:1/model.onnx":"AAEC/w=="}})";
  const auto call = parse_load_request(body_of(text), "m");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->with->config->max_batch_size, 16U);
  ASSERT_THAT(call->with->files, SizeIs(1));
  EXPECT_EQ(call->with->files[0].path, "1/model.onnx");
  EXPECT_EQ(call->with->files[0].bytes, std::string("\0\1\2\xff", 4));
}

TEST(LoadRequest, RefusesTheRest) {
  EXPECT_THAT(refusal(R"({"config":"{"})"), HasSubstr("failed to load 'm'"));
  EXPECT_THAT(refusal(R"({"config":{}})"), HasSubstr("failed to load 'm'"));
  EXPECT_THAT(refusal(R"({"config":"{}","config":"{}"})"), HasSubstr("given twice"));
  EXPECT_THAT(refusal(R"({"file:1/model.onnx":"AAAA"})"), HasSubstr("without the parameter 'config'"));
  EXPECT_THAT(refusal(R"({"config":"{}","file:1/model.onnx":"AAA"})"), HasSubstr("no base64"));
  EXPECT_THAT(refusal(R"({"what":1})"), HasSubstr("'what' is not taken"));
  EXPECT_THAT(refusal("[]"), HasSubstr("failed to load 'm'"));
  std::string many = R"({"config":"{}")";
  for (int i = 0; i < 300; ++i) many += fmt::format(R"(,"file:{}":"")", i);
  EXPECT_THAT(refusal(many + "}"), HasSubstr("More than 256 files"));
}

TEST(LoadMessage, IsReadAlike) {
  inference::RepositoryModelLoadRequest wire;
  wire.set_model_name("m");
  EXPECT_EQ(parse_load_message(body_of(wire.SerializeAsString()))->with, nullptr);
  (*wire.mutable_parameters())["config"].set_string_param("{}");
  (*wire.mutable_parameters())["file:1/a"].set_bytes_param("xyz");
  const auto call = parse_load_message(body_of(wire.SerializeAsString()));
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->model, "m");
  EXPECT_EQ(call->with->files.at(0).bytes, "xyz");
  (*wire.mutable_parameters())["config"].set_string_param("no");
  EXPECT_EQ(parse_load_message(body_of(wire.SerializeAsString())).error().reason, Reason::kLoadFailed);
  EXPECT_FALSE(parse_load_message(body_of("\xff\xff")));
}

TEST(Base64, IsReadStrictly) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("aGVsbG8="), "hello");
  EXPECT_EQ(decode_base64("aGVsbG8h"), "hello!");
  EXPECT_EQ(decode_base64("aA=="), "h");
  for (const char* wrong :
       {"a", "aGVsbG8", "aGVs bG8=", "aA=a", "====", "a===", "aB==", "aGV=", "aG-s", "\xff\xff\xff\xff"}) {
    EXPECT_FALSE(decode_base64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace bascule::protocol::v2

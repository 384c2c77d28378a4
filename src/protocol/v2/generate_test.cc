#include "protocol/v2/generate.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using tensor::Shape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

RequestBody body_of(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  return {.bytes = std::as_bytes(std::span(*owner)), .owner = owner};
}

content::ModelInfo spam() {
  return {.name = "spam",
          .version = "1",
          .inputs = {{.name = "message", .type = DataType::kString, .shape = {-1, 1}},
                     {.name = "scale", .type = DataType::kFp32, .shape = {-1}, .optional = true}},
          .outputs = {{.name = "label", .type = DataType::kString, .shape = {-1}},
                      {.name = "scores", .type = DataType::kFp32, .shape = {-1, 2}}}};
}

content::ModelInfo numbers() {
  return {.name = "add",
          .version = "1",
          .inputs = {{.name = "x", .type = DataType::kFp32, .shape = {-1, 16}}},
          .outputs = {{.name = "y", .type = DataType::kFp32, .shape = {-1, 16}}}};
}

std::string why(const std::string& json, const content::ModelInfo& model) {
  const auto call = parse_generate(body_of(json), model);
  return call ? "it was read" : call.error().message;
}

TEST(Generate, TheOnlyTextInputTakesTheText) {
  const auto call = parse_generate(
      body_of(
          R"({"id":"7","text_input":"free money","parameters":{"temperature":0.5,"x":"y"},"stream":false})"),
      spam());
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.id, "7");
  EXPECT_TRUE(call->text);
  EXPECT_THAT(call->request.outputs, ElementsAre("label"));
  ASSERT_EQ(call->request.inputs.size(), 1U);
  EXPECT_EQ(call->request.inputs[0].name, "message");
  EXPECT_EQ(call->request.inputs[0].tensor.shape, (Shape{1, 1}));
  EXPECT_THAT(*tensor::string_elements(call->request.inputs[0].tensor), ElementsAre("free money"));
}

TEST(Generate, MembersCalledAsInputsAreTheirValues) {
  const auto call = parse_generate(body_of(R"({"message":["a","b"], "parameters":{"scale": 2}})"), spam());
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_FALSE(call->text);
  EXPECT_TRUE(call->request.outputs.empty());
  ASSERT_EQ(call->request.inputs.size(), 2U);
  EXPECT_EQ(call->request.inputs[0].tensor.shape, (Shape{2, 1}));  // the last dimension is always 1
  EXPECT_EQ(call->request.inputs[1].tensor.shape, (Shape{1}));
  const auto rows = parse_generate(body_of(R"({"x":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]})"), numbers());
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(rows->request.inputs[0].tensor.shape, (Shape{1, 16}));
}

TEST(Generate, SaysWhatTheModelHasWhereItDoesNotFit) {
  EXPECT_THAT(why(R"({"text_input":"a"})", numbers()),
              HasSubstr("has not exactly one text input; it has x FP32 [-1,16]"));
  EXPECT_THAT(why("{}", spam()),
              HasSubstr("neither \"text_input\" nor a member called as an input of model 'spam'"));
  EXPECT_THAT(why(R"({"x":[1,2,3]})", numbers()), HasSubstr("'x' has the shape [-1,16], which 3 values"));
  EXPECT_THAT(why(R"({"x":[]})", numbers()), HasSubstr("which 0 values in a row cannot fill"));
  EXPECT_THAT(why(R"({"x":[[1]]})", numbers()), HasSubstr("'x' is nested"));
  EXPECT_THAT(why(R"({"x":1})", numbers()), HasSubstr("which 1 values in a row cannot fill"));
  content::ModelInfo two = spam();
  two.outputs.push_back({.name = "other", .type = DataType::kString, .shape = {-1}});
  EXPECT_THAT(why(R"({"text_input":"a"})", two),
              HasSubstr("has not exactly one text output; it has label BYTES"));
}

TEST(Generate, RefusesWhatIsNoRequest) {
  for (const char* const json : {"",
                                 "[]",
                                 "{",
                                 "{} x",
                                 R"({"text_input":})",
                                 R"({"text_input":"a","text_input":"b"})",
                                 R"({"id":1,"text_input":"a"})",
                                 R"({"id":"a","id":"b","text_input":"a"})",
                                 R"({"text_input":1})",
                                 R"({"text_input":null})",
                                 R"({"text_input":[1]})",
                                 R"({"text_input":[["a"]]})",
                                 R"({"text_input":{}})",
                                 R"({"text_input":[]})",
                                 R"({"text_input":"a","other":{}})",
                                 R"({"text_input":"a","other":[1]})",
                                 R"({"text_input":"a","parameters":1})",
                                 R"({"text_input":"a","message":"b"})",
                                 R"({"message":"a","parameters":{"message":"b"}})",
                                 R"({"text_input":"a","parameters":{"parameters":{}}})"}) {
    EXPECT_FALSE(parse_generate(body_of(json), spam())) << json;
  }
  EXPECT_FALSE(parse_generate(body_of("{\"text_input\":\"\xff\"}"), spam()));
}

TEST(Generate, AnswersAreFlat) {
  content::InferResponse response{.model = std::make_shared<content::ModelInfo>(spam()), .id = "7"};
  response.outputs = {
      {.name = "label",
       .tensor = tensor::make_string_tensor({1}, std::vector<std::string_view>{"sp\"am"}).value()}};
  EXPECT_EQ(write_generate(response, true).value(),
            R"({"id":"7","model_name":"spam","model_version":"1","text_output":"sp\"am"})");
  const std::vector<float> scores = {0.5F, 2};
  response.outputs.push_back(
      {.name = "scores", .tensor = tensor::copy_tensor<float>(DataType::kFp32, {1, 2}, scores).value()});
  const std::string json = write_generate(response, false).value();
  EXPECT_THAT(json, HasSubstr(R"("label":"sp\"am","scores":[0.5,2)"));
  EXPECT_EQ(event_of("{}"), "data: {}\n\n");
}

}  // namespace
}  // namespace bascule::protocol::v2

#include "protocol/v2/classification.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <grpc_service.pb.h>

#include "content/model_config.h"
#include "protocol/v2/messages.h"
#include "protocol/v2/v2.h"

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class T>
Tensor scores_of(DataType type, Shape shape, const std::vector<T>& values) {
  return tensor::copy_tensor<T>(type, std::move(shape), values).value();
}

content::ModelInfo model_of(bool batchable = true) {
  content::ModelInfo model{.name = "m", .version = "1", .batchable = batchable};
  model.outputs = {{.name = "y", .type = DataType::kFp32, .shape = {-1, 3}}};
  return model;
}

std::vector<std::string> texts(const Result<Tensor>& classes) {
  if (!classes) return {classes.error().message};
  const auto views = tensor::string_elements(*classes).value();
  return {views.begin(), views.end()};
}

TEST(Classification, TakesTheGreatestOfEachRow) {
  const Tensor scores = scores_of<float>(DataType::kFp32, {2, 3}, {0.1F, 0.7F, 0.2F, 5, -1, 6});
  const auto classes = classify(scores, 2, "y", model_of());
  EXPECT_THAT(texts(classes), ElementsAre("0.700000:1", "0.200000:2", "6.000000:2", "5.000000:0"));
  EXPECT_EQ(classes->shape, (Shape{2, 2}));
  EXPECT_EQ(classes->type, DataType::kString);
}

TEST(Classification, GivesAllWhereMoreAreAskedFor) {
  const Tensor scores = scores_of<float>(DataType::kFp32, {1, 3}, {1, 3, 2});
  const auto classes = classify(scores, std::numeric_limits<std::size_t>::max(), "y", model_of());
  EXPECT_THAT(texts(classes), ElementsAre("3.000000:1", "2.000000:2", "1.000000:0"));
  EXPECT_EQ(classes->shape, (Shape{1, 3}));
}

TEST(Classification, WithoutBatchesAllDimensionsAreOneRow) {
  const Tensor scores = scores_of<float>(DataType::kFp32, {2, 2}, {1, 3, 2, 9});
  content::ModelInfo model = model_of(false);
  const auto classes = classify(scores, 2, "y", model);
  EXPECT_THAT(texts(classes), ElementsAre("9.000000:3", "3.000000:1"));
  EXPECT_EQ(classes->shape, (Shape{2}));
  model.config = std::make_shared<content::ModelConfig>(content::ModelConfig{.max_batch_size = 8});
  EXPECT_EQ(classify(scores, 1, "y", model)->shape, (Shape{2, 1}));
}

TEST(Classification, SaysWhatTheValuesStandFor) {
  const Tensor scores = scores_of<float>(DataType::kFp32, {1, 3}, {1, 3, 2});
  content::ModelInfo model = model_of();
  model.class_names = {{0, "ash"}, {2, "cedar"}};
  EXPECT_THAT(texts(classify(scores, 3, "y", model)),
              ElementsAre("3.000000:1", "2.000000:2:cedar", "1.000000:0:ash"));
  model.labels["y"] = {"a", "b:c"};  // of the configuration: before the file's, and fewer than values
  EXPECT_THAT(texts(classify(scores, 3, "y", model)),
              ElementsAre("3.000000:1:b:c", "2.000000:2", "1.000000:0:a"));
  model.labels.clear();
  model.outputs.push_back({.name = "z"});  // whose names are they?
  EXPECT_THAT(texts(classify(scores, 1, "y", model)), ElementsAre("3.000000:1"));
}

TEST(Classification, ReadsEveryOrderedType) {
  const content::ModelInfo model = model_of();
  const Shape shape{1, 3};
  EXPECT_THAT(texts(classify(scores_of<std::int8_t>(DataType::kInt8, shape, {-1, 7, 2}), 1, "y", model)),
              ElementsAre("7:1"));
  EXPECT_THAT(texts(classify(scores_of<std::uint8_t>(DataType::kUint8, shape, {200, 7, 2}), 1, "y", model)),
              ElementsAre("200:0"));
  EXPECT_THAT(
      texts(classify(scores_of<std::uint64_t>(DataType::kUint64, shape, {1, 2, ~0ULL}), 1, "y", model)),
      ElementsAre("18446744073709551615:2"));
  EXPECT_THAT(texts(classify(scores_of<double>(DataType::kFp64, shape, {0.25, 2e3, -1}), 3, "y", model)),
              ElementsAre("2000.000000:1", "0.250000:0", "-1.000000:2"));
}

TEST(Classification, OrdersEqualOnesAndThoseThatAreNoNumber) {
  const float nan = std::nanf("");
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor scores = scores_of<float>(DataType::kFp32, {1, 6}, {nan, 1, inf, nan, 1, -inf});
  EXPECT_THAT(texts(classify(scores, 6, "y", model_of())),
              ElementsAre("inf:2", "1.000000:1", "1.000000:4", "-inf:5", "nan:0", "nan:3"));
}

TEST(Classification, RefusesWhatHasNoOrderOrIsTooMuch) {
  const content::ModelInfo model = model_of();
  const Tensor text = tensor::make_string_tensor({1, 1}, std::vector<std::string_view>{"a"}).value();
  EXPECT_THAT(classify(text, 1, "y", model).error().message, HasSubstr("Output 'y' is BYTES"));
  const Tensor halves = scores_of<std::uint16_t>(DataType::kFp16, {1, 1}, {1});
  EXPECT_THAT(classify(halves, 1, "y", model).error().message, HasSubstr("is FP16"));
  const Tensor wide =
      scores_of<std::uint8_t>(DataType::kUint8, {1, 1'000'001}, std::vector<std::uint8_t>(1'000'001));
  EXPECT_THAT(classify(wide, 1, "y", model).error().message, HasSubstr("1 rows of 1000001 values"));
  const Tensor many =
      scores_of<std::uint8_t>(DataType::kUint8, {1000, 2000}, std::vector<std::uint8_t>(2'000'000));
  EXPECT_TRUE(classify(many, 1000, "y", model));
  EXPECT_THAT(classify(many, 1001, "y", model).error().message, HasSubstr("at most 1000000"));
}

TEST(Classification, TakesNoRowsAndNoValues) {
  const content::ModelInfo model = model_of();
  EXPECT_EQ(classify(scores_of<float>(DataType::kFp32, {0, 3}, {}), 2, "y", model)->shape, (Shape{0, 0}));
  EXPECT_EQ(classify(scores_of<float>(DataType::kFp32, {2, 0}, {}), 2, "y", model)->shape, (Shape{2, 0}));
  EXPECT_THAT(texts(classify(scores_of<float>(DataType::kFp32, {}, {4}), 2, "y", model)),
              ElementsAre("4.000000:0"));
}

TEST(Classification, IsWrittenInBothForms) {
  content::InferResponse response{.model = std::make_shared<content::ModelInfo>(model_of())};
  response.outputs = {{.name = "y", .tensor = scores_of<float>(DataType::kFp32, {1, 2}, {1, 2})},
                      {.name = "z", .tensor = scores_of<float>(DataType::kFp32, {1, 1}, {7})}};
  const std::vector<OutputChoice> choices = {{.name = "y", .classes = 1}, {.name = "z"}};
  const auto rest = write_infer(response, ReplyChoice{.outputs = choices});
  ASSERT_TRUE(rest) << rest.error().message;
  EXPECT_THAT(rest->head,
              HasSubstr(R"({"name":"y","datatype":"BYTES","shape":[1,1],"data":["2.000000:1"]})"));
  EXPECT_THAT(rest->head, HasSubstr(R"({"name":"z","datatype":"FP32","shape":[1,1],"data":[7)"));
  const auto message = write_infer_message(response, ReplyChoice{.outputs = choices});
  ASSERT_TRUE(message) << message.error().message;
  std::string bytes = message->head;
  for (const auto& part : message->parts)
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  inference::ModelInferResponse wire;
  ASSERT_TRUE(wire.ParseFromString(bytes));
  EXPECT_EQ(wire.outputs(0).datatype(), "BYTES");
  EXPECT_EQ(wire.raw_output_contents(0), std::string("\x0a\0\0\0", 4) + "2.000000:1");
  EXPECT_EQ(wire.outputs(1).datatype(), "FP32");
}

}  // namespace
}  // namespace bascule::protocol::v2

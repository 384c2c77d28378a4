#include "tasks/vision/described.h"

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tasks/task.h"
#include "tasks/vision/activation.h"

namespace bascule::tasks::vision {
namespace {

using content::BoxForm;
using content::BoxUnit;
using tensor::DataType;
using testing::FloatNear;
using testing::HasSubstr;

backend::ModelSpec spec(tensor::Shape input, std::vector<tensor::TensorSpec> outputs,
                        DataType type = DataType::kFp32) {
  return {.inputs = {{.name = "image", .type = type, .shape = std::move(input)}},
          .outputs = std::move(outputs)};
}

// A BMP of `width` x `height` pixels of one colour.
std::vector<std::byte> plain_picture(int width, int height, std::array<std::uint8_t, 3> rgb) {
  std::string out = "BM";
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
  };
  const int row = (width * 3 + 3) / 4 * 4;
  put(static_cast<std::uint32_t>(54 + row * height), 4);
  put(0, 4);
  put(54, 4);
  put(40, 4);
  put(static_cast<std::uint32_t>(width), 4);
  put(static_cast<std::uint32_t>(height), 4);
  put(1, 2);
  put(24, 2);
  for (int i = 0; i < 6; ++i) put(0, 4);
  for (int y = 0; y < height; ++y) {
    std::string line;
    for (int x = 0; x < width; ++x) {
      for (const std::size_t c : {2U, 1U, 0U}) line += static_cast<char>(rgb[c]);
    }
    line.resize(static_cast<std::size_t>(row));
    out += line;
  }
  const auto bytes = std::as_bytes(std::span(out));
  return {bytes.begin(), bytes.end()};
}

struct Prepared {
  Plan plan;
  tensor::MutableTensor slot;
};

Prepared prepare(const Understanding& model, const std::vector<std::byte>& picture) {
  const content::EncodedPicture encoded{.bytes = picture, .owner = nullptr, .name = {}};
  Prepared out{.plan = *model.task->plan(encoded, {}), .slot = {}};
  out.slot = *tensor::make_tensor(out.plan.input_type, out.plan.input_shape);
  Scratch scratch;
  const auto done = model.task->prepare(encoded, out.plan, scratch, out.slot.bytes);
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

Understanding described(const backend::ModelSpec& model, content::ModelDescription said) {
  Understanding out = understand(model, {.description = std::move(said)});
  EXPECT_FALSE(out.problem) << out.problem->message;
  EXPECT_NE(out.task, nullptr);
  return out;
}

const tensor::TensorSpec kScores = {.name = "scores", .shape = {-1, 3}};

TEST(Described, PixelsInEveryLayout) {
  const std::vector<std::byte> picture = plain_picture(8, 4, {255, 51, 0});
  {  // planes, less a mean, by a deviation, for each channel
    const auto model = described(
        spec({-1, 3, 2, 2}, {kScores}),
        {.task = content::TaskChoice::kClassify, .mean = {0.5, 0.4, 0}, .deviation = {0.5, 0.1, 1}});
    const Prepared got = prepare(model, picture);
    const auto values = got.slot.tensor.elements<float>();
    EXPECT_EQ(got.plan.input_shape, (tensor::Shape{1, 3, 2, 2}));
    EXPECT_THAT(
        std::vector<float>(values.begin(), values.end()),
        testing::Pointwise(FloatNear(1e-6F), std::vector<float>{1, 1, 1, 1, -2, -2, -2, -2, 0, 0, 0, 0}));
  }
  {  // channels last, blue first, pixels as they are
    const auto model = described(spec({-1, 1, 2, 3}, {kScores}),
                                 {.task = content::TaskChoice::kClassify, .scale = 1, .bgr = true});
    const Prepared got = prepare(model, picture);
    EXPECT_EQ(got.plan.input_shape, (tensor::Shape{1, 1, 2, 3}));
    EXPECT_THAT(got.slot.tensor.elements<float>(),
                testing::Pointwise(FloatNear(1e-3F), {0, 51, 255, 0, 51, 255}));
  }
  {  // bytes, for which no scale counts
    const auto model = described(spec({1, 2, 1, 3}, {kScores}, DataType::kUint8),
                                 {.task = content::TaskChoice::kClassify, .mean = {9, 9, 9}});
    EXPECT_THAT(prepare(model, picture).slot.tensor.elements<std::uint8_t>(),
                testing::ElementsAre(255, 51, 0, 255, 51, 0));
  }
  {  // grey
    const auto model =
        described(spec({-1, 1, 1, 2}, {kScores}), {.task = content::TaskChoice::kClassify, .scale = 1});
    const float grey = 0.299F * 255 + 0.587F * 51;
    EXPECT_THAT(prepare(model, picture).slot.tensor.elements<float>(),
                testing::Pointwise(FloatNear(1e-2F), {grey, grey}));
  }
}

tensor::NamedTensor floats(std::string name, tensor::Shape shape, const std::vector<float>& values) {
  return {.name = std::move(name),
          .tensor = *tensor::copy_tensor<float>(DataType::kFp32, std::move(shape), values)};
}

content::Detections detect(const Understanding& model, const std::vector<tensor::NamedTensor>& outputs,
                           content::PredictOptions options = {}) {
  const std::vector<std::byte> picture = plain_picture(200, 100, {0, 0, 0});
  const content::EncodedPicture encoded{.bytes = picture, .owner = nullptr, .name = {}};
  const Plan plan = *model.task->plan(encoded, options);
  Scratch scratch;
  auto prediction = model.task->finish(plan, scratch, outputs);
  EXPECT_TRUE(prediction) << prediction.error().message;
  return prediction ? std::get<content::Detections>(*prediction) : content::Detections{};
}

void expect_box(const content::Detection& row, int class_id, float confidence, content::Box box) {
  EXPECT_EQ(row.class_id, class_id);
  EXPECT_NEAR(row.confidence, confidence, 1e-5);
  EXPECT_NEAR(row.box.x1, box.x1, 1e-3);
  EXPECT_NEAR(row.box.y1, box.y1, 1e-3);
  EXPECT_NEAR(row.box.x2, box.x2, 1e-3);
  EXPECT_NEAR(row.box.y2, box.y2, 1e-3);
}

// As TensorFlow's SSD ends: corners y first in parts of the sides, a score and a class for each box.
TEST(Described, BoxesWithOneScoreAndAClassNumber) {
  const auto model = described(spec({1, 32, 32, 3},
                                    {{.name = "detection_boxes", .shape = {1, 3, 4}},
                                     {.name = "detection_classes", .shape = {1, 3}},
                                     {.name = "detection_scores", .shape = {1, 3}},
                                     {.name = "num_detections", .shape = {1}}},
                                    DataType::kUint8),
                               {.task = content::TaskChoice::kDetect,
                                .labels = {"cat", "dog"},
                                .box_form = BoxForm::kCornersYx,
                                .background = true});
  const std::vector<tensor::NamedTensor> outputs = {
      floats("detection_boxes", {1, 3, 4}, {0, 0.5, 0.5, 1, 0.1F, 0.1F, 0.2F, 0.2F, 0, 0, 1, 1}),
      floats("detection_classes", {1, 3}, {2, 1, 0}), floats("detection_scores", {1, 3}, {0.5, 0.9F, 0.99F}),
      floats("num_detections", {1}, {3})};
  const content::Detections found = detect(model, outputs);
  ASSERT_EQ(found.rows.size(), 2U) << "the background is none";
  expect_box(found.rows[0], 0, 0.9F, {20, 10, 40, 20});
  expect_box(found.rows[1], 1, 0.5F, {100, 0, 200, 50});
  EXPECT_EQ(detect(model, outputs, {.confidence = 0.6}).rows.size(), 1U);
  EXPECT_EQ(detect(model, outputs, {.classes = {1}}).rows.size(), 1U);
}

// As RT-DETR and DETR are exported: centre and size, a logit for each class.
TEST(Described, BoxesWithLogitsForEachClass) {
  const std::vector<tensor::TensorSpec> outputs = {{.name = "logits", .shape = {1, 2, 3}},
                                                   {.name = "pred_boxes", .shape = {1, 2, 4}}};
  const std::vector<tensor::NamedTensor> values = {
      floats("logits", {1, 2, 3}, {0, 3, -1, -5, -4, 6}),
      floats("pred_boxes", {1, 2, 4}, {0.5, 0.5, 0.5, 1, 0.25, 0.5, 0.1F, 0.2F})};
  content::ModelDescription said{
      .task = content::TaskChoice::kDetect, .labels = {"a", "b", "c"}, .box_form = BoxForm::kCentre};
  const content::Detections found = detect(described(spec({1, 3, 64, 64}, outputs), said), values);
  ASSERT_EQ(found.rows.size(), 2U);
  expect_box(found.rows[0], 2, 1 / (1 + std::exp(-6.0F)), {40, 40, 60, 60});
  expect_box(found.rows[1], 1, 1 / (1 + std::exp(-3.0F)), {50, 0, 150, 100});
  // One score more than labels, through softmax: the last says that there is nothing.
  said.labels.pop_back();
  said.activation = content::Activation::kSoftmax;
  const content::Detections less = detect(described(spec({1, 3, 64, 64}, outputs), said), values);
  ASSERT_EQ(less.rows.size(), 1U);
  EXPECT_EQ(less.rows[0].class_id, 1);
}

TEST(Described, OverlapsAreSuppressedWhereAsked) {
  const std::vector<tensor::TensorSpec> outputs = {
      {.name = "boxes", .shape = {-1, 4}},
      {.name = "labels", .type = DataType::kInt64, .shape = {-1}},
      {.name = "scores", .shape = {-1}}};
  std::vector<tensor::NamedTensor> values = {floats("boxes", {2, 4}, {10, 10, 30, 30, 11, 10, 30, 30}),
                                             floats("scores", {2}, {0.5, 0.75})};
  const std::vector<std::int64_t> classes = {4, 4};
  values.push_back(
      {.name = "labels", .tensor = *tensor::copy_tensor<std::int64_t>(DataType::kInt64, {2}, classes)});
  content::ModelDescription said{.task = content::TaskChoice::kDetect, .box_unit = BoxUnit::kInput};
  EXPECT_EQ(detect(described(spec({1, 3, 64, 64}, outputs), said), values).rows.size(), 2U);
  said.suppress = true;
  const content::Detections found = detect(described(spec({1, 3, 64, 64}, outputs), said), values);
  ASSERT_EQ(found.rows.size(), 1U);
  expect_box(found.rows[0], 4, 0.75, {11 * 200 / 64.F, 10 * 100 / 64.F, 30 * 200 / 64.F, 30 * 100 / 64.F});
}

TEST(Described, ASecondInputIsToldTheSize) {
  backend::ModelSpec model = spec(
      {-1, 3, 32, 64}, {{.name = "boxes", .shape = {-1, 2, 4}}, {.name = "scores", .shape = {-1, 2, 5}}});
  model.inputs.push_back({.name = "orig_target_sizes", .type = DataType::kInt64, .shape = {-1, 2}});
  const auto got = described(model, {.task = content::TaskChoice::kDetect, .box_unit = BoxUnit::kInput});
  const Prepared prepared = prepare(got, plain_picture(10, 10, {0, 0, 0}));
  ASSERT_EQ(prepared.plan.beside.size(), 1U);
  EXPECT_EQ(prepared.plan.beside[0].name, "orig_target_sizes");
  EXPECT_THAT(prepared.plan.beside[0].tensor.elements<std::int64_t>(), testing::ElementsAre(64, 32));
}

TEST(Described, SaysWhatDoesNotFit) {
  const auto why = [](const backend::ModelSpec& model, content::ModelDescription said) {
    const Understanding got = understand(model, {.description = std::move(said)});
    return got.problem ? got.problem->message : std::string("served");
  };
  using content::TaskChoice;
  EXPECT_THAT(why(spec({-1, 16}, {kScores}), {.task = TaskChoice::kClassify}),
              HasSubstr("neither a picture nor"));
  EXPECT_THAT(why(spec({-1, 5, 8, 8}, {kScores}), {.task = TaskChoice::kClassify}),
              HasSubstr("[N,3,height,width] or"));
  EXPECT_THAT(why(spec({-1, 3, 8, 8}, {kScores}), {.task = TaskChoice::kClassify, .labels = {"a"}}),
              HasSubstr("there are 1 labels, and the model tells 3 classes"));
  EXPECT_THAT(why(spec({-1, 3, 8, 8}, {kScores}), {.task = TaskChoice::kClassify, .scores = "p"}),
              HasSubstr("has no output 'p'"));
  EXPECT_THAT(why(spec({-1, 3, 8, 8}, {kScores}), {.task = TaskChoice::kDetect}),
              HasSubstr("name one with boxes"));
  EXPECT_THAT(
      why(spec({-1, 3, 8, 8}, {{.name = "boxes", .shape = {-1, 9, 4}}}), {.task = TaskChoice::kDetect}),
      HasSubstr("name one with scores"));
}

TEST(Described, OutputsOfOtherShapesAreErrors) {
  const auto model = described(
      spec({1, 3, 64, 64}, {{.name = "boxes", .shape = {1, -1, 4}}, {.name = "scores", .shape = {1, -1, 2}}}),
      {.task = content::TaskChoice::kDetect});
  const std::vector<std::byte> picture = plain_picture(4, 4, {0, 0, 0});
  const Plan plan = *model.task->plan({.bytes = picture, .owner = nullptr, .name = {}}, {});
  Scratch scratch;
  for (const std::vector<tensor::NamedTensor>& outputs : std::vector<std::vector<tensor::NamedTensor>>{
           {},
           {floats("boxes", {1, 1, 4}, {0, 0, 1, 1})},
           {floats("boxes", {1, 2, 4}, {0, 0, 1, 1, 0, 0, 1, 1}), floats("scores", {1, 1, 3}, {1, 1, 1})},
           {floats("boxes", {1, 1, 5}, {0, 0, 1, 1, 1}), floats("scores", {1, 1, 2}, {1, 1})}}) {
    EXPECT_FALSE(model.task->finish(plan, scratch, outputs));
  }
  const auto none = model.task->finish(
      plan, scratch, std::vector{floats("boxes", {1, 0, 4}, {}), floats("scores", {1, 0, 2}, {})});
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(std::get<content::Detections>(*none).rows.empty());
}

TEST(Activation, IsSeenFromTheScores) {
  using content::Activation;
  const std::vector<float> probabilities = {0.25F, 0.75F};
  const std::vector<float> fractions = {0.9F, 0.8F};
  const std::vector<float> logits = {-3, 4};
  EXPECT_EQ(activation_of(Activation::kAuto, probabilities, true), Activation::kNone);
  EXPECT_EQ(activation_of(Activation::kAuto, fractions, true), Activation::kSoftmax);
  EXPECT_EQ(activation_of(Activation::kAuto, fractions, false), Activation::kNone);
  EXPECT_EQ(activation_of(Activation::kAuto, logits, false), Activation::kSigmoid);
  EXPECT_EQ(activation_of(Activation::kNone, logits, false), Activation::kNone);
  std::vector<float> scores = {1000, 999};
  activate(Activation::kSoftmax, scores);
  EXPECT_NEAR(scores[0], 1 / (1 + std::exp(-1.0F)), 1e-6);
}

}  // namespace
}  // namespace bascule::tasks::vision

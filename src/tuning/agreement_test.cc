#include "tuning/agreement.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace bascule::tuning {
namespace {

content::InferResponse boxes(std::vector<content::Detection> rows) {
  content::InferResponse out;
  out.prediction = content::Detections{.rows = std::move(rows)};
  return out;
}

content::InferResponse tensors(const std::vector<float>& values) {
  content::InferResponse out;
  out.outputs.push_back(
      {"y", tensor::copy_tensor(tensor::DataType::kFp32, {static_cast<std::int64_t>(values.size())},
                                std::span<const float>(values))
                .value()});
  return out;
}

constexpr content::Box kLeft{.x1 = 0, .y1 = 0, .x2 = 10, .y2 = 10};
constexpr content::Box kRight{.x1 = 50, .y1 = 0, .x2 = 60, .y2 = 10};

double drop_of(const content::InferResponse& reference, const content::InferResponse& got) {
  Agreement agreement;
  agreement.add(reference, got);
  return agreement.drop();
}

TEST(Agreement, IsWholeWhereAnswersAreAlike) {
  const auto one = boxes({{.class_id = 0, .confidence = 0.9F, .box = kLeft}});
  EXPECT_EQ(drop_of(one, one), 0);
  EXPECT_EQ(drop_of(boxes({}), boxes({})), 0);
  EXPECT_EQ(drop_of(tensors({1, 2}), tensors({1, 2})), 0);
}

TEST(Agreement, CountsBoxesThatOneSideHas) {
  const auto both = boxes({{.class_id = 0, .confidence = 0.9F, .box = kLeft},
                           {.class_id = 1, .confidence = 0.8F, .box = kRight}});
  const auto one = boxes({{.class_id = 0, .confidence = 0.9F, .box = kLeft}});
  EXPECT_DOUBLE_EQ(drop_of(both, one), 0.5);
  EXPECT_DOUBLE_EQ(drop_of(one, both), 0.5);
  // Of another class, or elsewhere, it is another box: each side has one alone.
  EXPECT_DOUBLE_EQ(drop_of(one, boxes({{.class_id = 1, .confidence = 0.9F, .box = kLeft}})), 1);
  EXPECT_DOUBLE_EQ(drop_of(one, boxes({{.class_id = 0, .confidence = 0.9F, .box = kRight}})), 1);
}

TEST(Agreement, PairsBoxesOfModelsThatHaveLearnedLittle) {
  const auto with = [](const content::Box& box) {
    return boxes({{.class_id = 0, .confidence = 0.9F, .box = box}});
  };
  // Corners the wrong way round, and no height.
  EXPECT_EQ(drop_of(with({.x1 = 10, .y1 = 10, .x2 = 0, .y2 = 0}),
                    with({.x1 = 10.1F, .y1 = 10, .x2 = 0, .y2 = 0.1F})),
            0);
  EXPECT_EQ(
      drop_of(with({.x1 = 3, .y1 = 7, .x2 = 40, .y2 = 7}), with({.x1 = 3, .y1 = 7, .x2 = 40.1F, .y2 = 7})),
      0);
  EXPECT_EQ(drop_of(with({.x1 = 3, .y1 = 7, .x2 = 40, .y2 = 7}), with({.x1 = 3, .y1 = 9, .x2 = 40, .y2 = 9})),
            1);
}

TEST(Agreement, DoesNotCountWhatAHairsBreadthDecides) {
  const auto edge = boxes({{.class_id = 0, .confidence = 0.28F, .box = kLeft}});
  EXPECT_EQ(drop_of(edge, boxes({})), 0);
  EXPECT_EQ(drop_of(boxes({}), edge), 0);
}

TEST(Agreement, MeasuresConfidences) {
  const auto one = boxes({{.class_id = 0, .confidence = 0.9F, .box = kLeft}});
  const auto other = boxes({{.class_id = 0, .confidence = 0.86F, .box = kLeft}});
  EXPECT_NEAR(drop_of(one, other), 0.04, 1e-6);
}

TEST(Agreement, MeasuresClassesAndTensors) {
  content::InferResponse cat;
  cat.prediction = content::Classification{
      .best = {{.class_id = 3, .confidence = 0.8F}, {.class_id = 4, .confidence = 0.2F}}};
  content::InferResponse dog;
  dog.prediction = content::Classification{
      .best = {{.class_id = 4, .confidence = 0.6F}, {.class_id = 3, .confidence = 0.4F}}};
  EXPECT_EQ(drop_of(cat, dog), 1);
  EXPECT_NEAR(drop_of(tensors({3, 4}), tensors({3, 4.5F})), 0.1, 1e-6);
  EXPECT_EQ(drop_of(tensors({1, 2}), tensors({1, std::numeric_limits<float>::quiet_NaN()})), 1);
  EXPECT_EQ(drop_of(tensors({1, 2}), tensors({1})), 1);
  EXPECT_EQ(drop_of(tensors({1, 2}), cat), 1);
}

}  // namespace
}  // namespace bascule::tuning

#include "tasks/vision/pixel_maps.h"

#include <limits>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::tasks::vision {
namespace {

using tensor::DataType;

// A picture of 4 x 8 in an input of 8 x 8 at twice its size less padding: rows 2 to 5 are the picture.
Plan wide_plan() {
  Plan plan;
  plan.letterbox = image::plan_letterbox({.height = 4, .width = 8}, {.height = 8, .width = 8},
                                         image::LetterboxMode::kSquare, 8);
  return plan;
}

template <class T>
Result<content::Prediction> finished(const Task& task, const Plan& plan, DataType type, tensor::Shape shape,
                                     const std::vector<T>& values) {
  auto tensor = tensor::copy_tensor<T>(type, std::move(shape), values);
  if (!tensor) return tensor.error();
  const std::vector<tensor::NamedTensor> outputs = {{"out", *tensor}};
  Scratch scratch;
  return task.finish(plan, scratch, outputs);
}

TEST(ClassMap, CutsThePaddingOffAndCountsShares) {
  std::vector<std::uint8_t> classes(64, 9);  // the padding's class is not told
  for (std::size_t y = 2; y < 6; ++y) {
    for (std::size_t x = 0; x < 8; ++x) classes[y * 8 + x] = x < 6 ? 0 : 3;
  }
  const auto got = finished<std::uint8_t>(*make_class_map_task({.output = "out"}), wide_plan(),
                                          DataType::kUint8, {1, 8, 8}, classes);
  ASSERT_TRUE(got) << got.error().message;
  const auto& map = std::get<content::ClassMap>(*got);
  EXPECT_EQ(map.classes.size(), 32U);
  ASSERT_EQ(map.shares.size(), 2U);
  EXPECT_EQ(map.shares[0].class_id, 0);
  EXPECT_DOUBLE_EQ(map.shares[0].of_pixels, 0.75);
  EXPECT_EQ(map.shares[1].class_id, 3);
  EXPECT_FALSE(map.png.empty());
}

TEST(ClassMap, TakesAMapOfAnotherSizeThanTheInput) {
  const std::vector<std::uint8_t> classes = {9, 9, 1, 2, 1, 2, 9, 9};  // 4 x 2 for 8 x 8
  const auto got = finished<std::uint8_t>(*make_class_map_task({.output = "out"}), wide_plan(),
                                          DataType::kUint8, {1, 4, 2}, classes);
  ASSERT_TRUE(got) << got.error().message;
  const auto& map = std::get<content::ClassMap>(*got);
  EXPECT_THAT(std::vector<int>(map.classes.begin(), map.classes.begin() + 8),
              testing::ElementsAre(1, 1, 1, 1, 2, 2, 2, 2));
  ASSERT_EQ(map.shares.size(), 2U);
}

TEST(ClassMap, MarksWhatIsNotWanted) {
  Plan plan = wide_plan();
  plan.options.classes = {2};
  const std::vector<std::uint8_t> classes = {9, 9, 1, 2, 1, 2, 9, 9};
  const auto got = finished<std::uint8_t>(*make_class_map_task({.output = "out"}), plan, DataType::kUint8,
                                          {1, 4, 2}, classes);
  ASSERT_TRUE(got) << got.error().message;
  const auto& map = std::get<content::ClassMap>(*got);
  EXPECT_EQ(map.classes.front(), 255);
  EXPECT_EQ(map.classes[7], 2);
}

TEST(ClassMap, RefusesOutputsOfAnotherShape) {
  const auto task = make_class_map_task({.output = "out"});
  EXPECT_EQ(finished<std::uint8_t>(*task, wide_plan(), DataType::kUint8, {2, 1, 1}, {0, 0}).error().code,
            Code::kInternal);
  EXPECT_EQ(finished<std::uint8_t>(*task, wide_plan(), DataType::kUint8, {1, 0, 8}, {}).error().code,
            Code::kInternal);
  EXPECT_EQ(
      finished<std::uint8_t>(*task, wide_plan(), DataType::kUint8, {8, 8}, std::vector<std::uint8_t>(64))
          .error()
          .code,
      Code::kInternal);
  EXPECT_EQ(
      finished<float>(*task, wide_plan(), DataType::kFp32, {1, 8, 8}, std::vector<float>(64)).error().code,
      Code::kInternal);
}

Plan stretched(int bits) {
  Plan plan;
  plan.letterbox = plan_stretch({.height = 1, .width = 3}, {.height = 1, .width = 2});
  plan.options.depth_bits = bits;
  return plan;
}

TEST(Depth, IsToldFromTheNearestToTheFarthest) {
  const auto task = make_depth_task({.output = "out"});
  for (const int bits : {8, 12, 16}) {
    const auto got = finished<float>(*task, stretched(bits), DataType::kFp32, {1, 1, 1, 2}, {2, 6});
    ASSERT_TRUE(got) << got.error().message;
    const auto& map = std::get<content::DepthMap>(*got);
    EXPECT_EQ(map.nearest, 2);
    EXPECT_EQ(map.farthest, 6);
    const int most = (1 << bits) - 1;
    EXPECT_THAT(map.levels, testing::ElementsAre(0, (most + 1) / 2, most));
    EXPECT_FALSE(map.png.empty());
  }
}

TEST(Depth, TakesAFlatMap) {
  const auto got = finished<float>(*make_depth_task({.output = "out"}), stretched(8), DataType::kFp32,
                                   {1, 1, 1, 2}, {3, 3});
  ASSERT_TRUE(got);
  EXPECT_THAT(std::get<content::DepthMap>(*got).levels, testing::Each(0));
}

TEST(Depth, RefusesWhatIsNoDepth) {
  const auto task = make_depth_task({.output = "out"});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(finished<float>(*task, stretched(8), DataType::kFp32, {1, 1, 1, 2}, {1, nan}).error().code,
            Code::kInternal);
  EXPECT_EQ(finished<float>(*task, stretched(8), DataType::kFp32, {1, 2, 1, 1}, {1, 2}).error().code,
            Code::kInternal);
}

}  // namespace
}  // namespace bascule::tasks::vision

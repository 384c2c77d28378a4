#include "tasks/vision/detection.h"

#include <limits>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "image/decode.h"

namespace bascule::tasks::vision {
namespace {

using content::PictureSize;
using tensor::DataType;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

DetectionSpec any_size() {
  return {.layout = DetectionLayout::kRaw,
          .output = "output0",
          .input = {.fit = PictureFit::kRectangular,
                    .size = {.height = 320, .width = 320},
                    .stride = 32,
                    .max_pixels = 100'000'000,
                    .max_side = 2048}};
}

DetectionSpec fixed_size() {
  DetectionSpec spec = any_size();
  spec.input.fixed = spec.input.size = {.height = 320, .width = 416};
  spec.input.fit = PictureFit::kLetterbox;
  return spec;
}

// 1280 x 960 pixels.
Result<Plan> planned(const DetectionSpec& spec, const content::PredictOptions& options) {
  static const auto bytes =
      read_file(BASCULE_SOURCE_DIR "/tests/data/pictures/fruit_101_0000.jpg", 10'000'000);
  if (!bytes) return bytes.error();
  return make_detection_task(spec)->plan({.bytes = *bytes, .owner = nullptr, .name = "fruit"}, options);
}

TEST(DetectionPlan, FitsThePictureIntoTheModelsOwnSize) {
  const auto plan = planned(any_size(), {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->input_shape, (tensor::Shape{1, 3, 256, 320}));
  EXPECT_EQ(plan->letterbox.original, (PictureSize{.height = 960, .width = 1280}));
  EXPECT_EQ(planned(fixed_size(), {})->input_shape, (tensor::Shape{1, 3, 320, 416}));
}

// A frame of a video is the picture that it was decoded to.
TEST(DetectionPlan, TakesFramesAsTheyAre) {
  const auto bytes = read_file(BASCULE_SOURCE_DIR "/tests/data/pictures/fruit_101_0000.jpg", 10'000'000);
  ASSERT_TRUE(bytes);
  image::Bitmap bitmap;
  ASSERT_TRUE(image::decode(*bytes, {}, bitmap));
  const content::EncodedPicture picture{.bytes = *bytes};
  const content::EncodedPicture frame{.bytes = std::as_bytes(std::span(bitmap.pixels)),
                                      .raw = PictureSize{.height = bitmap.height, .width = bitmap.width}};
  const auto task = make_detection_task(any_size());
  Scratch scratch;
  std::vector<float> slots[2];
  for (const auto& [one, slot] : {std::pair(&picture, &slots[0]), {&frame, &slots[1]}}) {
    const auto plan = task->plan(*one, {});
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->input_shape, (tensor::Shape{1, 3, 256, 320}));
    slot->resize(std::size_t{3} * 256 * 320);
    ASSERT_TRUE(task->prepare(*one, *plan, scratch, std::as_writable_bytes(std::span(*slot))));
  }
  EXPECT_EQ(slots[0], slots[1]);
  DetectionSpec small = any_size();
  small.input.max_pixels = 1'000'000;
  const auto refused = make_detection_task(small)->plan(frame, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPayloadTooLarge);
  EXPECT_THAT(refused.error().message,
              testing::HasSubstr("1280 x 960 = 1228800 pixels; the limit is 1000000"));
}

TEST(DetectionPlan, RoundsASizeUpToTheStride) {
  EXPECT_EQ(planned(any_size(), {.size = PictureSize{639, 639}})->input_shape,
            (tensor::Shape{1, 3, 480, 640}));
  EXPECT_EQ(planned(any_size(), {.size = PictureSize{1, 1}})->input_shape, (tensor::Shape{1, 3, 32, 32}));
}

TEST(DetectionPlan, RefusesAnotherSizeWhereItIsFixed) {
  EXPECT_TRUE(planned(fixed_size(), {.size = PictureSize{320, 416}}));
  EXPECT_TRUE(planned(fixed_size(), {.size = PictureSize{310, 400}}));
  const auto refused = planned(fixed_size(), {.size = PictureSize{640, 640}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message,
              testing::AllOf(testing::HasSubstr("640 x 640"), testing::HasSubstr("320 x 416")));
}

TEST(DetectionPlan, RefusesOptionsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const content::PredictOptions& options :
       std::vector<content::PredictOptions>{{.confidence = -0.1},
                                            {.confidence = 1.1},
                                            {.confidence = nan},
                                            {.iou = -1},
                                            {.iou = nan},
                                            {.size = PictureSize{0, 640}},
                                            {.size = PictureSize{640, 1 << 30}},
                                            {.max_detections = 0},
                                            {.max_detections = 30'001}}) {
    const auto refused = planned(any_size(), options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_EQ(refused.error().reason, Reason::kValueOutOfRange);
  }
}

TEST(DetectionPlan, RefusesWhatIsNoPictureOrTooLarge) {
  const std::string text = "not a picture";
  const auto refused =
      make_detection_task(any_size())
          ->plan({.bytes = std::as_bytes(std::span(text)), .owner = nullptr, .name = ""}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kBadPicture);
  DetectionSpec small = any_size();
  small.input.max_pixels = 1'000'000;
  EXPECT_EQ(planned(small, {}).error().code, Code::kPayloadTooLarge);
}

TEST(DetectionPlan, PutsAPictureThatIsJudgedInTheMiddle) {
  const auto plan = planned(any_size(), {.judged_input = PictureSize{288, 352}});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->input_shape, (tensor::Shape{1, 3, 288, 352}));
  EXPECT_EQ(plan->letterbox.resized, (PictureSize{240, 320}));
  EXPECT_EQ(plan->letterbox.top, 24);
  EXPECT_EQ(plan->letterbox.left, 16);
  // Where the model does not take that, or the picture has no place in it, it is fitted as ever.
  for (const PictureSize input : {PictureSize{224, 352}, PictureSize{287, 352}, PictureSize{640, 640}}) {
    EXPECT_EQ(planned(any_size(), {.judged_input = input})->input_shape, (tensor::Shape{1, 3, 256, 320}));
  }
  EXPECT_EQ(planned(fixed_size(), {.judged_input = PictureSize{320, 416}})->letterbox.resized,
            (PictureSize{312, 416}));
}

// A picture of 200 x 100 in an input of 64 x 64: a gain of 0.32, 16 rows of padding above.
Plan small_plan() {
  Plan plan;
  plan.letterbox = image::plan_letterbox({.height = 100, .width = 200}, {.height = 64, .width = 64},
                                         image::LetterboxMode::kSquare, 32);
  plan.input_shape = {1, 3, 64, 64};
  return plan;
}

Result<content::Prediction> finished(const DetectionSpec& spec, tensor::Shape shape,
                                     std::vector<float> values, const Plan& plan = small_plan()) {
  auto tensor = tensor::copy_tensor<float>(DataType::kFp32, std::move(shape), values);
  if (!tensor) return tensor.error();
  const std::vector<tensor::NamedTensor> outputs = {{"other", {}}, {"output0", *tensor}};
  Scratch scratch;
  return make_detection_task(spec)->finish(plan, scratch, outputs);
}

TEST(DetectionFinish, BringsRawBoxesBackToThePicture) {
  // Two anchors, two classes: centre (32, 32), 32 x 16; and one that reaches over the picture's edge.
  const auto got = finished(any_size(), {1, 6, 2}, {32, 60, 32, 32, 32, 32, 16, 64, 0.1F, 0.9F, 0.8F, 0.2F});
  ASSERT_TRUE(got) << got.error().message;
  const auto& found = std::get<content::Detections>(*got);
  EXPECT_EQ(found.picture, (PictureSize{.height = 100, .width = 200}));
  ASSERT_EQ(found.rows.size(), 2U);
  EXPECT_EQ(found.rows[0].class_id, 0);
  EXPECT_NEAR(found.rows[0].box.x1, 137.5, 1e-4);
  EXPECT_EQ(found.rows[0].box.y1, 0);
  EXPECT_EQ(found.rows[0].box.x2, 200);
  EXPECT_EQ(found.rows[0].box.y2, 100);
  EXPECT_EQ(found.rows[1].class_id, 1);
  EXPECT_NEAR(found.rows[1].box.x1, 50, 1e-4);
  EXPECT_NEAR(found.rows[1].box.y1, 25, 1e-4);
  EXPECT_NEAR(found.rows[1].box.x2, 150, 1e-4);
  EXPECT_NEAR(found.rows[1].box.y2, 75, 1e-4);
}

TEST(DetectionFinish, FiltersRowsByConfidenceAlone) {
  DetectionSpec spec = any_size();
  spec.layout = DetectionLayout::kRows;
  const float huge = 1e30F;
  const auto got = finished(spec, {1, 8, 6},
                            {0, 16, 32, 32, 0.9F,  2, 0, 16, 32, 32, 0.8F, 2,    0, 16, 32, 32, 0.25F, 1,
                             0, 16, 32, 32, kNan,  0, 0, 16, 32, 32, 0.7F, kNan, 0, 16, 32, 32, 0.7F,  huge,
                             0, 16, 32, 32, 0.95F, 0, 0, 0,  0,  0,  0,    0});
  ASSERT_TRUE(got) << got.error().message;
  const auto& rows = std::get<content::Detections>(*got).rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].class_id, 0);
  EXPECT_EQ(rows[1].class_id, 2);
  EXPECT_EQ(rows[2].class_id, 2) << "rows are never suppressed";
  Plan one = small_plan();
  one.options.max_detections = 1;
  const auto first = finished(spec, {1, 2, 6}, {0, 0, 1, 1, 0.5F, 0, 0, 0, 1, 1, 0.5F, 1}, one);
  EXPECT_EQ(std::get<content::Detections>(*first).rows.size(), 1U);
}

TEST(DetectionFinish, ToldToJudgeLeavesBoxesWholeAndCountsClasses) {
  Plan plan = small_plan();
  plan.options.judged_input = PictureSize{.height = 64, .width = 64};
  // One anchor that reaches over the picture's right and lower edge, sure of both classes.
  const auto got = finished(any_size(), {1, 6, 1}, {60, 32, 32, 64, 0.9F, 0.8F}, plan);
  ASSERT_TRUE(got) << got.error().message;
  const auto& found = std::get<content::Detections>(*got);
  ASSERT_EQ(found.rows.size(), 2U);
  EXPECT_EQ(found.rows[1].class_id, 1);
  EXPECT_NEAR(found.rows[0].box.x2, 237.5, 1e-4);
  EXPECT_NEAR(found.rows[0].box.y1, -50, 1e-4);
  // Points and outlines are not told.
  DetectionSpec pose = any_size();
  pose.kind = ObjectKind::kKeypoints;
  pose.more = 3;
  const auto posed = finished(pose, {1, 8, 1}, {60, 32, 32, 64, 0.9F, 30, 30, 1}, plan);
  ASSERT_TRUE(posed) << posed.error().message;
  EXPECT_TRUE(std::get<content::Detections>(*posed).keypoints.empty());
}

TEST(DetectionFinish, TakesAnOutputWithoutAnchorsOrRows) {
  DetectionSpec rows = any_size();
  rows.layout = DetectionLayout::kRows;
  EXPECT_TRUE(std::get<content::Detections>(*finished(any_size(), {1, 6, 0}, {})).rows.empty());
  EXPECT_TRUE(std::get<content::Detections>(*finished(rows, {1, 0, 6}, {})).rows.empty());
}

TEST(DetectionFinish, RefusesOutputsOfAnotherShape) {
  DetectionSpec rows = any_size();
  rows.layout = DetectionLayout::kRows;
  EXPECT_EQ(finished(any_size(), {1, 4, 1}, {1, 2, 3, 4}).error().code, Code::kInternal);
  EXPECT_EQ(finished(any_size(), {2, 6, 1}, std::vector<float>(12)).error().code, Code::kInternal);
  EXPECT_EQ(finished(any_size(), {6, 2}, std::vector<float>(12)).error().code, Code::kInternal);
  EXPECT_EQ(finished(rows, {1, 1, 7}, std::vector<float>(7)).error().code, Code::kInternal);
  Scratch scratch;
  EXPECT_FALSE(make_detection_task(rows)->finish(small_plan(), scratch, {}));
}

}  // namespace
}  // namespace bascule::tasks::vision

#include "image/fit.h"

#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::image {
namespace {

using content::PictureSize;

TEST(CentreCrop, FitsTheShorterSideAndCutsTheMiddle) {
  const CentreCrop tall = plan_centre_crop({.height = 1080, .width = 810}, {.height = 320, .width = 320});
  EXPECT_EQ(tall.resized, (PictureSize{.height = 426, .width = 320}));  // 426.67, cut off
  EXPECT_EQ(tall.top, 53);
  EXPECT_EQ(tall.left, 0);
  const CentreCrop wide = plan_centre_crop({.height = 535, .width = 800}, {.height = 320, .width = 320});
  EXPECT_EQ(wide.resized, (PictureSize{.height = 320, .width = 478}));
  EXPECT_EQ(wide.left, 79);
  // Half to even: 5 / 2 is 2.
  EXPECT_EQ(plan_centre_crop({.height = 25, .width = 20}, {.height = 20, .width = 20}).top, 2);
}

TEST(CentreCrop, StretchesIntoATargetThatIsNoSquare) {
  const CentreCrop plan = plan_centre_crop({.height = 100, .width = 100}, {.height = 32, .width = 64});
  EXPECT_EQ(plan.resized, plan.input);
  EXPECT_EQ(plan.top, 0);
  EXPECT_EQ(plan.left, 0);
}

Bitmap grey(int height, int width, const std::vector<std::uint8_t>& values) {
  Bitmap out{.height = height, .width = width, .pixels = {}};
  for (const std::uint8_t value : values) out.pixels.insert(out.pixels.end(), 3, value);
  return out;
}

std::vector<int> cropped(const Bitmap& bitmap, PictureSize target) {
  const CentreCrop plan = plan_centre_crop({.height = bitmap.height, .width = bitmap.width}, target);
  std::vector<float> out(3 * static_cast<std::size_t>(target.height) *
                         static_cast<std::size_t>(target.width));
  CropScratch scratch;
  centre_crop_to_chw(bitmap, whole_of(bitmap), plan, scratch, out);
  std::vector<int> first;
  for (std::size_t i = 0; i < out.size() / 3; ++i) {
    EXPECT_EQ(out[i], out[i + out.size() / 3]);
    first.push_back(static_cast<int>(std::lround(out[i] * 255)));
  }
  return first;
}

// Values of Pillow 11's Image.resize(size, Image.BILINEAR).
TEST(CentreCrop, ResizesAsPillowDoes) {
  EXPECT_THAT(
      cropped(grey(4, 4, {0, 50, 100, 150, 10, 60, 110, 160, 20, 70, 120, 170, 30, 80, 130, 255}), {2, 2}),
      testing::ElementsAre(43, 121, 59, 151));
  EXPECT_THAT(cropped(grey(1, 1, {77}), {2, 2}), testing::ElementsAre(77, 77, 77, 77));
  EXPECT_THAT(cropped(grey(2, 2, {0, 100, 200, 255}), {4, 4}),
              testing::ElementsAre(0, 25, 75, 100, 50, 72, 117, 139, 150, 167, 200, 216, 200, 214, 241, 255));
}

TEST(ResizePlane, PutsCornersOnCorners) {
  const std::vector<float> from = {0, 1, 2, 3};
  std::vector<float> to(9);
  resize_plane(from, {.height = 2, .width = 2}, to, {.height = 3, .width = 3});
  EXPECT_THAT(to, testing::ElementsAre(0, 0.5F, 1, 1, 1.5F, 2, 2, 2.5F, 3));
  std::vector<float> one(1);
  resize_plane(from, {.height = 2, .width = 2}, one, {.height = 1, .width = 1});
  EXPECT_EQ(one[0], 0);
  std::vector<float> line(3);
  resize_plane(std::vector<float>{4}, {.height = 1, .width = 1}, line, {.height = 1, .width = 3});
  EXPECT_THAT(line, testing::Each(4.0F));
}

}  // namespace
}  // namespace bascule::image

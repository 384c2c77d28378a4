#include "tasks/vision/masks.h"

#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::tasks::vision {
namespace {

using content::Point;
using Points = std::vector<Point>;

// A picture of rows of '#' and '.', `left` and `top` away from the corner.
Mask drawn(const std::vector<std::string_view>& rows, int left = 0, int top = 0) {
  Mask mask{.left = left,
            .top = top,
            .height = static_cast<int>(rows.size()),
            .width = static_cast<int>(rows.front().size()),
            .pixels = {}};
  for (const std::string_view row : rows) {
    for (const char pixel : row) mask.pixels.push_back(pixel == '#' ? 1 : 0);
  }
  return mask;
}

// Expected points are those of OpenCV's findContours (RETR_EXTERNAL, CHAIN_APPROX_SIMPLE), worked out by
// hand.
TEST(Outline, HasAPointForEachCorner) {
  EXPECT_EQ(outline_of(drawn({"....", ".##.", ".##.", "...."}, 10, 20)),
            (Points{{11, 21}, {11, 22}, {12, 22}, {12, 21}}));
  EXPECT_EQ(outline_of(drawn({"#"})), (Points{{0, 0}}));
  EXPECT_EQ(outline_of(drawn({"###"})), (Points{{0, 0}, {2, 0}}));
  EXPECT_EQ(outline_of(drawn({".#.", "###", ".#."})), (Points{{1, 0}, {0, 1}, {1, 2}, {2, 1}}));
}

TEST(Outline, IsEmptyWhereThereIsNothing) {
  EXPECT_TRUE(outline_of(drawn({"...", "..."})).empty());
  EXPECT_TRUE(outline_of({}).empty());
}

TEST(Outline, LeavesOutHolesAndWhatLiesInThem) {
  const auto ring = outline_of(drawn({"#####", "#...#", "#.#.#", "#...#", "#####"}));
  EXPECT_EQ(ring, (Points{{0, 0}, {0, 4}, {4, 4}, {4, 0}}));
}

TEST(Outline, FollowsALineThereAndBack) {
  EXPECT_EQ(outline_of(drawn({"#..", ".#.", "..#"})), (Points{{0, 0}, {2, 2}}));
}

TEST(Outline, JoinsPartsAtTheirNearestPointsFromTheLowestUp) {
  // Two parts: each once around from the nearest pair, and back to it.
  const auto two = outline_of(drawn({"##", "..", "..", "##"}));
  EXPECT_EQ(two, (Points{{0, 3}, {1, 3}, {0, 3}, {0, 0}, {1, 0}, {0, 0}}));
  // Three: the middle one's two sides are gone along on the way there and on the way back.
  const auto three = outline_of(drawn({"#", ".", "#", "#", ".", "#"}));
  EXPECT_EQ(three, (Points{{0, 5}, {0, 5}, {0, 3}, {0, 2}, {0, 0}, {0, 0}, {0, 2}, {0, 3}}));
}

Mask masked(const Prototypes& prototypes, const std::vector<float>& coefficients, const content::Box& box,
            content::PictureSize input) {
  MaskScratch scratch;
  Mask out;
  draw_mask(prototypes, coefficients, box, input, scratch, out);
  return out;
}

TEST(DrawMask, MixesPrototypesAndCutsThemAtTheBox) {
  // Left half positive in the first plane, upper half in the second.
  const std::vector<float> planes = {1, -1, 1, -1, 1, 1, -1, -1};
  const Prototypes prototypes{.values = planes, .channels = 2, .height = 2, .width = 2};
  const content::PictureSize input{.height = 8, .width = 8};
  const Mask left = masked(prototypes, {1, 0}, {0, 0, 8, 8}, input);
  EXPECT_EQ(left.width, 8);
  EXPECT_THAT(std::vector<int>(left.pixels.begin(), left.pixels.begin() + 8),
              testing::ElementsAre(1, 1, 1, 1, 0, 0, 0, 0));
  const Mask upper = masked(prototypes, {0, 1}, {1.5F, 2.5F, 4, 6}, input);
  EXPECT_EQ(upper.left, 2);
  EXPECT_EQ(upper.top, 3);
  EXPECT_EQ(upper.width, 2);
  EXPECT_EQ(upper.height, 3);
  EXPECT_THAT(upper.pixels, testing::ElementsAre(1, 1, 0, 0, 0, 0));
  EXPECT_FALSE(upper.empty());
  EXPECT_TRUE(masked(prototypes, {0, 0}, {0, 0, 8, 8}, input).empty());
}

TEST(DrawMask, TakesBoxesThatLieOutsideOrAreInsideOut) {
  const std::vector<float> planes = {1};
  const Prototypes prototypes{.values = planes, .channels = 1, .height = 1, .width = 1};
  const content::PictureSize input{.height = 4, .width = 4};
  EXPECT_EQ(masked(prototypes, {1}, {-9, -9, 99, 99}, input).pixels.size(), 16U);
  EXPECT_TRUE(masked(prototypes, {1}, {3, 3, 1, 1}, input).pixels.empty());
  EXPECT_TRUE(masked(prototypes, {1}, {1e30F, 0, 1e31F, 4}, input).pixels.empty());
  EXPECT_TRUE(masked({.values = {}, .channels = 1}, {1}, {0, 0, 4, 4}, input).empty());
}

}  // namespace
}  // namespace bascule::tasks::vision

#include "applications/geometry.h"

#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

constexpr content::PictureSize kPicture{.height = 500, .width = 1000};

TEST(Geometry, KnowsWhatIsInAPolygon) {
  const Polygon l_shape{.name = "l", .corners = {{0, 0}, {0.4, 0}, {0.4, 0.6}, {1, 0.6}, {1, 1}, {0, 1}}};
  EXPECT_TRUE(contains(l_shape, {0.2, 0.2}));
  EXPECT_TRUE(contains(l_shape, {0.9, 0.9}));
  EXPECT_FALSE(contains(l_shape, {0.9, 0.2}));
  EXPECT_FALSE(contains(l_shape, {1.2, 0.9}));
  EXPECT_FALSE(contains(Polygon{}, {0.5, 0.5}));
}

TEST(Geometry, PutsAPlaceOnASharedEdgeInOnePolygon) {
  const Polygon left{.name = "left", .corners = {{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}};
  const Polygon right{.name = "right", .corners = {{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}};
  for (const double y : {0.0, 0.25, 0.5, 0.99}) {
    EXPECT_NE(contains(left, {0.5, y}), contains(right, {0.5, y})) << y;
  }
}

TEST(Geometry, MeasuresBoxesInPartsOfTheFrame) {
  const content::Box box{.x1 = 100, .y1 = 100, .x2 = 300, .y2 = 200};
  EXPECT_DOUBLE_EQ(centre_of(box, kPicture).x, 0.2);
  EXPECT_DOUBLE_EQ(centre_of(box, kPicture).y, 0.3);
  EXPECT_DOUBLE_EQ(area_fraction(box, kPicture), 0.04);
  EXPECT_DOUBLE_EQ(area_fraction({.x1 = 900, .y1 = -50, .x2 = 1100, .y2 = 50}, kPicture), 0.01)
      << "what reaches beyond the frame does not count";
  EXPECT_DOUBLE_EQ(area_fraction({.x1 = 1200, .y1 = 0, .x2 = 1300, .y2 = 50}, kPicture), 0);
}

TEST(Geometry, TellsInWhichDirectionALineIsCrossed) {
  const Line upright{.name = "exit", .from = {0.5, 0}, .to = {0.5, 1}};
  const Line upside_down{.name = "exit", .from = {0.5, 1}, .to = {0.5, 0}};
  const Line level{.name = "door", .from = {0, 0.5}, .to = {1, 0.6}};
  for (const Line& line : {upright, upside_down}) {
    EXPECT_EQ(crossing(line, {0.4, 0.5}, {0.6, 0.5}, kPicture), Direction::kRight);
    EXPECT_EQ(crossing(line, {0.6, 0.5}, {0.4, 0.9}, kPicture), Direction::kLeft);
  }
  EXPECT_EQ(crossing(level, {0.5, 0.2}, {0.5, 0.9}, kPicture), Direction::kDown);
  EXPECT_EQ(crossing(level, {0.5, 0.9}, {0.2, 0.2}, kPicture), Direction::kUp);
  EXPECT_EQ(crossing(upright, {0.1, 0.5}, {0.4, 0.5}, kPicture), std::nullopt);
  EXPECT_EQ(to_string(Direction::kUp), "up");
}

TEST(Geometry, LetsGoWhatPassesBesideALine) {
  const Line shorter{.name = "gate", .from = {0.5, 0.4}, .to = {0.5, 0.6}};
  EXPECT_EQ(crossing(shorter, {0.4, 0.5}, {0.6, 0.5}, kPicture), Direction::kRight);
  EXPECT_EQ(crossing(shorter, {0.4, 0.1}, {0.6, 0.1}, kPicture), std::nullopt);
  EXPECT_EQ(crossing(shorter, {0.4, 0.9}, {0.6, 0.9}, kPicture), std::nullopt);
}

TEST(Geometry, DoesNotSayOnWhichSideSomethingIsThatLiesOnALine) {
  const Line line{.name = "exit", .from = {0.5, 0}, .to = {0.5, 1}};
  EXPECT_EQ(side_of(line, {0.5, 0.5}, kPicture), 0);
  EXPECT_EQ(side_of(line, {0.503, 0.5}, kPicture), 0);
  EXPECT_EQ(side_of(line, {0.51, 0.5}, kPicture), -side_of(line, {0.49, 0.5}, kPicture));
  EXPECT_NE(side_of(line, {0.51, 0.5}, kPicture), 0);
  EXPECT_EQ(side_of({.name = "none", .from = {0.5, 0.5}, .to = {0.5, 0.5}}, {0.9, 0.9}, kPicture), 0);
}

}  // namespace
}  // namespace bascule::applications

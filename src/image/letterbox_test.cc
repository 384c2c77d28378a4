#include "image/letterbox.h"

#include <gtest/gtest.h>

namespace bascule::image {
namespace {

TEST(Letterbox, PlansLikeTheReference) {
  const Letterbox rect = plan_letterbox({1080, 810}, {640, 640}, LetterboxMode::kRect, 32);
  EXPECT_EQ(rect.resized, (content::PictureSize{640, 480}));
  EXPECT_EQ(rect.input, (content::PictureSize{640, 480}));
  const Letterbox square = plan_letterbox({1080, 810}, {640, 640}, LetterboxMode::kSquare, 32);
  EXPECT_EQ(square.input, (content::PictureSize{640, 640}));
  EXPECT_EQ(square.left, 80);
  EXPECT_EQ(square.top, 0);
}

}  // namespace
}  // namespace bascule::image

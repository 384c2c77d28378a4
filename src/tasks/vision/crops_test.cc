#include "tasks/vision/crops.h"

#include <gtest/gtest.h>

#include "image/decode.h"
#include "image/encode.h"

namespace bascule::tasks::vision {
namespace {

// 8 x 6 pixels whose red is their column, green their row.
std::vector<std::byte> picture() {
  image::Bitmap bitmap{.height = 6, .width = 8, .pixels = {}};
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 8; ++x) {
      bitmap.pixels.insert(bitmap.pixels.end(),
                           {static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 9});
    }
  }
  return image::encode_bmp(bitmap);
}

TEST(Crops, AreTheBoxesPixels) {
  struct Case {
    content::Box box;
    double margin;
    int left, top, width, height;
  };
  const Case cases[] = {
      {{2, 1, 5, 4}, 0, 2, 1, 3, 3},       {{2.4F, 1.4F, 4.6F, 3.6F}, 0, 2, 1, 3, 3},  // the nearest pixels
      {{5, 4, 2, 1}, 0, 2, 1, 3, 3},        // corners in another order
      {{2, 2, 4, 4}, 0.5, 1, 1, 4, 4},      // larger by half of 2 at each side
      {{-5, -5, 100, 100}, 0, 0, 0, 8, 6},  // kept within the picture
      {{3, 3, 3, 3}, 0, 3, 3, 1, 1},        // at least a pixel
      {{50, 50, 60, 60}, 0, 7, 5, 1, 1},    // though it be outside
  };
  const auto bytes = picture();
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.box.x1 << " " << c.box.y1);
    content::Detections found{.rows = {{.box = c.box}}};
    const auto crops = cut_out({.bytes = bytes, .owner = nullptr, .name = "p"}, found, c.margin);
    ASSERT_TRUE(crops) << crops.error().message;
    ASSERT_EQ(crops->size(), 1U);
    image::Bitmap crop;
    ASSERT_TRUE(image::decode((*crops)[0].bytes, {}, crop));
    EXPECT_EQ(crop.width, c.width);
    EXPECT_EQ(crop.height, c.height);
    EXPECT_EQ(crop.row(0)[0], c.left);
    EXPECT_EQ(crop.row(0)[1], c.top);
    EXPECT_EQ(crop.row(crop.height - 1)[1], c.top + c.height - 1);
    EXPECT_EQ(crop.row(0)[2], 9);
  }
}

TEST(Crops, OfADamagedPictureAreAnError) {
  auto bytes = picture();
  bytes.resize(bytes.size() / 2);
  const content::Detections found{.rows = {{.box = {0, 0, 1, 1}}}};
  EXPECT_FALSE(cut_out({.bytes = bytes, .owner = nullptr, .name = "p"}, found, 0));
}

}  // namespace
}  // namespace bascule::tasks::vision

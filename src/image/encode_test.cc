#include "image/encode.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "image/decode.h"
#include "image/letterbox.h"
#include "image/test_support.h"

namespace bascule::image {
namespace {

TEST(Encode, PngKeepsEveryPixel) {
  for (const auto& [height, width] : {std::pair{1, 1}, {13, 37}, {64, 5}}) {
    const Bitmap bitmap = test::noise(1, height, width);
    const auto png = encode_png(bitmap);
    ASSERT_TRUE(png) << png.error().message;
    Bitmap back;
    ASSERT_TRUE(decode(*png, {}, back));
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.pixels, bitmap.pixels);
  }
}

TEST(Encode, BmpKeepsEveryPixel) {
  for (const auto& [height, width] : {std::pair{1, 1}, {13, 37}, {64, 6}, {7, 3}}) {
    const Bitmap bitmap = test::noise(3, height, width);
    Bitmap back;
    const auto read = decode(encode_bmp(bitmap), {}, back);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.pixels, bitmap.pixels);
  }
}

TEST(Encode, JpegComesClose) {
  const Bitmap smooth = resize_linear(test::noise(2, 4, 5), 61, 83);
  const auto best = encode_jpeg(smooth, 95);
  ASSERT_TRUE(best) << best.error().message;
  Bitmap back;
  ASSERT_TRUE(decode(*best, {}, back));
  ASSERT_EQ(back.pixels.size(), smooth.pixels.size());
  std::size_t distance = 0;
  for (std::size_t i = 0; i < back.pixels.size(); ++i) {
    distance += static_cast<std::size_t>(std::abs(back.pixels[i] - smooth.pixels[i]));
  }
  EXPECT_LT(distance / back.pixels.size(), 6U);
  const auto worst = encode_jpeg(smooth, 5);
  ASSERT_TRUE(worst);
  EXPECT_LT(worst->size(), best->size());
}

TEST(Encode, RefusesWhatItCannotWrite) {
  EXPECT_EQ(encode_png({}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(encode_jpeg({}).error().code, Code::kInvalidArgument);
  const Bitmap bitmap = test::noise(1, 4, 4);
  EXPECT_EQ(encode_jpeg(bitmap, 0).error().code, Code::kInvalidArgument);
  EXPECT_EQ(encode_jpeg(bitmap, 101).error().code, Code::kInvalidArgument);
  EXPECT_EQ(encode_jpeg(test::noise(1, 1, 65'501)).error().code, Code::kInvalidArgument);
  EXPECT_EQ(encode_png({4, 4, {}}).error().code, Code::kInternal);
}

}  // namespace
}  // namespace bascule::image

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "image/decode.h"
#include "image/encode.h"
#include "image/fit.h"
#include "image/letterbox.h"
#include "image/test_support.h"

namespace bascule::image {
namespace {

constexpr int kHeight = 331;
constexpr int kWidth = 203;  // no side is divided by 2, 4 or 8

// Ramps: a place that is off by a pixel is off by a level.
Bitmap ramps() {
  Bitmap bitmap;
  bitmap.height = kHeight;
  bitmap.width = kWidth;
  bitmap.pixels.resize(bitmap.row_bytes() * kHeight);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      std::uint8_t* pixel = bitmap.row(y) + std::ptrdiff_t{3} * x;
      pixel[0] = static_cast<std::uint8_t>(20 + x);
      pixel[1] = static_cast<std::uint8_t>(20 + y * 2 / 3);
      pixel[2] = static_cast<std::uint8_t>(240 - x);
    }
  }
  return bitmap;
}

// The same JPEG as a camera that was held that way writes it.
std::vector<std::byte> held(const std::vector<std::byte>& jpeg, int orientation) {
  std::vector<std::byte> out(jpeg.begin(), jpeg.begin() + 2);
  const std::initializer_list<int> note = {0xFF, 0xE1, 0, 34, 'E', 'x',         'i', 'f', 0, 0,  'M', 'M',
                                           0,    42,   0, 0,  0,   8,           0,   1,   1, 18, 0,   3,
                                           0,    0,    0, 1,  0,   orientation, 0,   0,   0, 0,  0,   0};
  for (const int byte : note) out.push_back(static_cast<std::byte>(byte));
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

std::vector<std::byte> jpeg_of(const Bitmap& bitmap) {
  auto jpeg = encode_jpeg(bitmap, 100);
  EXPECT_TRUE(jpeg);
  return std::move(*jpeg);
}

// The largest distance of two tensors, in levels.
double furthest(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(double{a[i]} - double{b[i]}) * 255);
  return most;
}

std::vector<float> tensor_for(const Letterbox& plan) {
  return std::vector<float>(std::size_t{3} * static_cast<std::size_t>(plan.input.height) *
                            static_cast<std::size_t>(plan.input.width));
}

TEST(FastDecode, TakesTheSmallestFractionThatLeavesEnough) {
  const auto jpeg = jpeg_of(ramps());
  struct Case {
    content::PictureSize least;
    content::PictureSize made;
  };
  for (const Case& c :
       {Case{{331, 203}, {331, 203}}, Case{{166, 100}, {331, 203}}, Case{{165, 101}, {166, 102}},
        Case{{83, 50}, {166, 102}}, Case{{82, 50}, {83, 51}}, Case{{41, 25}, {42, 26}},
        Case{{1, 1}, {42, 26}}, Case{{0, 0}, {42, 26}}, Case{{5, 200}, {331, 203}}}) {
    Bitmap bitmap;
    const auto extent = decode_at_least(jpeg, {}, c.least, bitmap);
    ASSERT_TRUE(extent) << extent.error().message;
    EXPECT_EQ(bitmap.height, c.made.height) << c.least.height << " x " << c.least.width;
    EXPECT_EQ(bitmap.width, c.made.width) << c.least.height << " x " << c.least.width;
    EXPECT_LE(extent->height, bitmap.height);
    EXPECT_GT(extent->height, bitmap.height - 1);
  }
}

TEST(FastDecode, LeavesOtherFormatsWhole) {
  for (const char* name : {"rgb_8.png", "24.bmp", "lossy.webp", "rgb_8.tif", "plain.gif"}) {
    const auto bytes = test::read_bytes(test::data_dir() / "pictures_exact" / name);
    Bitmap whole;
    Bitmap fast;
    ASSERT_TRUE(decode(bytes, {}, whole));
    const auto extent = decode_at_least(bytes, {}, {2, 2}, fast);
    ASSERT_TRUE(extent);
    EXPECT_EQ(extent->width, whole.width);
    EXPECT_EQ(fast.pixels, whole.pixels);
  }
}

TEST(FastDecode, RefusesWhatTheExactWayRefuses) {
  Bitmap bitmap;
  for (const auto& entry : std::filesystem::directory_iterator(test::data_dir() / "pictures_broken")) {
    if (entry.path().extension() != ".jpg") continue;
    EXPECT_FALSE(decode_at_least(test::read_bytes(entry.path()), {}, {4, 4}, bitmap)) << entry.path();
  }
  EXPECT_FALSE(decode_at_least(jpeg_of(ramps()), {.max_pixels = 1000}, {4, 4}, bitmap));
}

// Every way a camera can be held, every fraction: the picture lies where it lies when it is decoded whole.
TEST(FastDecode, KeepsEverythingInItsPlace) {
  const auto upright = jpeg_of(ramps());
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto jpeg = held(upright, orientation);
    Bitmap whole;
    ASSERT_TRUE(decode(jpeg, {}, whole));
    ASSERT_EQ(whole.height, orientation < 5 ? kHeight : kWidth);
    for (const int side : {160, 80, 40}) {
      SCOPED_TRACE(testing::Message() << "orientation " << orientation << ", side " << side);
      const Letterbox plan =
          plan_letterbox({whole.height, whole.width}, {side, side}, LetterboxMode::kSquare, 8);
      LetterboxScratch scratch;
      Bitmap fast;
      const auto extent = decode_at_least(jpeg, {}, plan.resized, fast);
      ASSERT_TRUE(extent);
      ASSERT_LE(fast.height, whole.height / 2 + 1);
      auto expected = tensor_for(plan);
      auto made = expected;
      letterbox_to_chw(whole, plan, scratch, expected);
      letterbox_to_chw(fast, *extent, plan, scratch, made);
      // An eighth of a picture off by one of its pixels would be off by eight.
      EXPECT_LT(furthest(expected, made), 4);

      const CentreCrop crop = plan_centre_crop({whole.height, whole.width}, {24, 24});
      const auto crop_extent = decode_at_least(jpeg, {}, crop.resized, fast);
      ASSERT_TRUE(crop_extent);
      CropScratch crop_scratch;
      std::vector<float> exact_crop(std::size_t{3} * 24 * 24);
      auto fast_crop = exact_crop;
      centre_crop_to_chw(whole, whole_of(whole), crop, crop_scratch, exact_crop);
      centre_crop_to_chw(fast, *crop_extent, crop, crop_scratch, fast_crop);
      EXPECT_LT(furthest(exact_crop, fast_crop), 3);
    }
  }
}

}  // namespace
}  // namespace bascule::image

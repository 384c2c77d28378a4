#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "image/decode.h"
#include "image/test_support.h"

namespace bascule::image {
namespace {

constexpr std::uint64_t kMaxPixels = 40'000;

// What a changed or cut file may become: an error with a sentence, or a picture within the limit. Says
// whether it was refused.
bool is_refused(std::span<const std::byte> bytes, std::uint64_t max_pixels, Bitmap& bitmap) {
  // On the heap and no byte too many, so that AddressSanitizer sees a read behind the end.
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  const auto result = decode(copy, {.max_pixels = max_pixels}, bitmap);
  if (!result) {
    EXPECT_EQ(result.error().reason, Reason::kBadPicture) << result.error().message;
    EXPECT_TRUE(result.error().message.ends_with('.')) << result.error().message;
    return true;
  }
  EXPECT_LE(bitmap.pixels.size(), max_pixels * 3);
  EXPECT_EQ(bitmap.pixels.size(), bitmap.row_bytes() * static_cast<std::size_t>(bitmap.height));
  return false;
}

// Bytes and bits changed, sometimes the end cut off; the same for the same seed.
std::vector<std::byte> changed(std::vector<std::byte> bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const std::size_t changes = 1 + random() % 4;
  for (std::size_t change = 0; change < changes; ++change) {
    // Half of them in the first 400 bytes, where the headers are.
    const std::size_t range = random() % 2 == 0 ? std::min<std::size_t>(400, bytes.size()) : bytes.size();
    std::byte& byte = bytes[random() % range];
    byte = random() % 2 == 0 ? static_cast<std::byte>(random())
                             : byte ^ static_cast<std::byte>(1U << random() % 8);
  }
  if (random() % 8 == 0) bytes.resize(random() % bytes.size());
  return bytes;
}

std::string test_name(const testing::TestParamInfo<const char*>& victim) {
  std::string name = victim.param;
  std::ranges::replace_if(name, [](char c) { return c == '.' || c == '/'; }, '_');
  return name;
}

// Small pictures, one for each branch of the decoders.
class HostilePicture : public testing::TestWithParam<const char*> {
 protected:
  std::vector<std::byte> original_ = test::read_bytes(test::data_dir() / GetParam());
  Bitmap bitmap_;
};

TEST_P(HostilePicture, IsRefusedWhereverItIsCut) {
  // A fax may go without the mark of its end, which stands behind the last pixel.
  const std::size_t mark = std::string_view(GetParam()).contains("fax") ? 8 : 0;
  for (std::size_t length = 0; length < original_.size() - mark; ++length) {
    ASSERT_TRUE(is_refused(std::span(original_).first(length), kMaxPixels, bitmap_))
        << "cut to " << length << " of " << original_.size();
  }
}

TEST_P(HostilePicture, IsAnErrorOrAPictureWhenChanged) {
  constexpr int kRounds = 1000;
  int refused = 0;
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE(seed);
    refused += is_refused(changed(original_, seed), kMaxPixels, bitmap_) ? 1 : 0;
  }
  EXPECT_GT(refused, kRounds / 20);
}

INSTANTIATE_TEST_SUITE_P(
    Decode, HostilePicture,
    testing::Values(
        "pictures_exact/420.jpg", "pictures_exact/progressive.jpg", "pictures_exact/cmyk.jpg",
        "pictures_exact/orientation_6.jpg", "pictures_exact/rgb_8.png", "pictures_exact/palette_4.png",
        "pictures_exact/text.png", "pictures_exact/grey_16_interlaced.png", "pictures_exact/lossy_alpha.webp",
        "pictures_exact/lossless.webp", "pictures_exact/orientation_6.webp", "pictures_exact/animated.webp",
        "pictures_exact/24.bmp", "pictures_exact/32_masks_v4.bmp", "pictures_exact/4.bmp",
        "pictures_exact/rle8.bmp", "pictures_exact/rle4.bmp", "pictures_exact/rgb_8.tif",
        "pictures_exact/lzw.tif", "pictures_exact/jpeg.tif", "pictures_exact/adobe_deflate.tif",
        "pictures_exact/packbits.tif", "pictures_exact/fax_group4.tif", "pictures_exact/rgb_tiles.tif",
        "pictures_exact/rgb_planes.tif", "pictures_exact/palette_4.tif", "pictures_exact/rgb_8_big.tif",
        "pictures_exact/codes.gif", "pictures_exact/interlaced.gif", "pictures_exact/animated.gif",
        "pictures_exact/background.gif", "pictures_exact/lossless.avif", "pictures_near/odd.avif",
        "pictures_near/animated.avif", "pictures_near/odd.heic", "pictures_near/alpha.heic",
        "pictures_near/grid.heic", "pictures_near/orientation_6.heic"),
    test_name);

// Photographs, one in each format, and two as they come from a camera.
class HostilePhotograph : public HostilePicture {};

TEST_P(HostilePhotograph, IsRefusedWhereItIsCut) {
  constexpr std::size_t kCuts = 40;
  for (std::size_t cut = 0; cut < kCuts; ++cut) {
    const std::size_t length = original_.size() * cut / kCuts;
    ASSERT_TRUE(is_refused(std::span(original_).first(length), 1'000'000, bitmap_)) << "cut to " << length;
  }
  ASSERT_TRUE(is_refused(std::span(original_).first(original_.size() - 1), 1'000'000, bitmap_));
}

TEST_P(HostilePhotograph, IsAnErrorOrAPictureWhenChanged) {
  constexpr int kRounds = 100;
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    SCOPED_TRACE(seed);
    (void)is_refused(changed(original_, seed), 1'000'000, bitmap_);
  }
}

INSTANTIATE_TEST_SUITE_P(Decode, HostilePhotograph,
                         testing::Values("pictures_real/steel.jpg", "pictures_real/steel.png",
                                         "pictures_real/steel.webp", "pictures_real/steel.bmp",
                                         "pictures_real/steel.tif", "pictures_real/steel.gif",
                                         "pictures_real/steel.avif", "pictures_real/steel.heic",
                                         "pictures/fruit_101_0000.jpg", "pictures/steel_104_0000.jpg"),
                         test_name);

// The sides of what a header may say, in every format that can be written that thin.
TEST(ThinPicture, IsRead) {
  Bitmap bitmap;
  for (const char* name :
       {"one_pixel.jpg", "one_pixel.png", "one_pixel.webp", "one_pixel.bmp", "one_pixel.tif", "one_pixel.gif",
        "one_pixel.avif", "../pictures_near/one_pixel.heic"}) {
    const auto bytes = test::read_bytes(test::data_dir() / "pictures_exact" / name);
    ASSERT_TRUE(decode(bytes, {}, bitmap)) << name;
    EXPECT_EQ(bitmap.pixels.size(), 3U) << name;
  }
  for (const char* name : {"thin.jpg", "thin.png", "thin.webp", "thin.bmp", "thin.tif", "thin.gif"}) {
    const auto bytes = test::read_bytes(test::data_dir() / "pictures_exact" / name);
    ASSERT_TRUE(decode(bytes, {}, bitmap)) << name;
    EXPECT_EQ(bitmap.height * bitmap.width, name == std::string_view("thin.webp") ? 16'000 : 20'000) << name;
  }
}

// A file is what its bytes are, whatever its name says: nothing here is given a name. What follows is read as
// far as it is needed, and no further.
TEST(TiffDirectory, IsReadOnceWhereItNamesItselfAsTheNext) {
  auto bytes = test::read_bytes(test::data_dir() / "pictures_exact/rgb_8.tif");
  const std::size_t directory =
      std::to_integer<std::size_t>(bytes[4]) | std::to_integer<std::size_t>(bytes[5]) << 8;
  const std::size_t entries = std::to_integer<std::size_t>(bytes[directory]);
  std::copy_n(bytes.begin() + 4, 4,
              bytes.begin() + static_cast<std::ptrdiff_t>(directory + 2 + 12 * entries));
  Bitmap bitmap;
  const auto result = decode(bytes, {}, bitmap);
  EXPECT_TRUE(result) << result.error().message;
}

TEST(GifFrames, AreNotUnpackedBeyondTheFirst) {
  auto bytes = test::read_bytes(test::data_dir() / "pictures_exact/codes.gif");
  const std::size_t frame_at = 13 + 3 * 16;
  const std::vector<std::byte> frame(bytes.begin() + frame_at, bytes.end() - 1);
  bytes.pop_back();
  for (int i = 0; i < 10'000; ++i) bytes.insert(bytes.end(), frame.begin(), frame.begin() + 10);
  // Ten thousand frames, of which the first alone has data; each other one is empty.
  Bitmap bitmap;
  EXPECT_TRUE(is_refused(bytes, kMaxPixels, bitmap));  // their data is missing
  bytes = test::read_bytes(test::data_dir() / "pictures_exact/codes.gif");
  bytes.pop_back();
  for (int i = 0; i < 10'000; ++i) {
    bytes.insert(bytes.end(), frame.begin(), frame.begin() + 10);
    bytes.push_back(std::byte{4});
    bytes.push_back(std::byte{0});
  }
  bytes.push_back(std::byte{0x3B});
  EXPECT_FALSE(is_refused(bytes, kMaxPixels, bitmap));
}

}  // namespace
}  // namespace bascule::image

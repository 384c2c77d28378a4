#include "image/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>

#include "image/test_support.h"

namespace bascule::image {
namespace {

using testing::HasSubstr;

std::vector<std::byte> exact(const std::string& name) {
  return test::read_bytes(test::data_dir() / "pictures_exact" / name);
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// What every refusal owes: the reason that the dialects map, and a sentence.
void expect_bad_picture(const Error& error, Code code = Code::kInvalidArgument) {
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_EQ(error.reason, Reason::kBadPicture);
  EXPECT_TRUE(error.message.ends_with('.')) << error.message;
}

void put(std::vector<std::byte>& bytes, std::size_t at, std::initializer_list<int> values) {
  for (const int value : values) bytes[at++] = static_cast<std::byte>(value);
}

TEST(Decode, EqualsOpenCvForEveryKindOfPicture) {
  std::ifstream list(test::data_dir() / "pictures_exact/expected.txt");
  std::string name;
  std::string hash;
  int height = 0;
  int width = 0;
  int pictures = 0;
  Bitmap bitmap;  // one for all: what was there before must not shine through
  while (list >> name >> height >> width >> hash) {
    SCOPED_TRACE(name);
    const auto bytes = exact(name);
    const auto header = read_header(bytes, {});
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_EQ(header->height, height);
    EXPECT_EQ(header->width, width);
    const auto decoded = decode(bytes, {}, bitmap);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(bitmap.height, height);
    EXPECT_EQ(bitmap.width, width);
    EXPECT_EQ(test::fnv1a(std::as_bytes(std::span(bitmap.pixels))), hash);
    ++pictures;
  }
  EXPECT_GT(pictures, 100);
}

TEST(Decode, EqualsOpenCvForPhotographs) {
  std::ifstream list(test::data_dir() / "pictures_exact/photos.txt");
  std::string name;
  std::string hash;
  std::string tensor_hash;
  int height = 0;
  int width = 0;
  int pictures = 0;
  while (list >> name >> height >> width >> hash >> tensor_hash) {
    SCOPED_TRACE(name);
    Bitmap bitmap;
    ASSERT_TRUE(decode(test::read_bytes(test::data_dir() / "pictures" / name), {}, bitmap));
    EXPECT_EQ(bitmap.height, height);
    EXPECT_EQ(bitmap.width, width);
    EXPECT_EQ(test::fnv1a(std::as_bytes(std::span(bitmap.pixels))), hash);
    ++pictures;
  }
  EXPECT_EQ(pictures, 4);
}

TEST(Decode, RefusesWhatIsNoPicture) {
  Bitmap bitmap;
  for (const char* text :
       {"", "x", "just a text file that was named .jpg\n", "GIF89a", "RIFF....WAVE", "\xFF\xD8"}) {
    const auto result = decode(bytes_of(text), {}, bitmap);
    ASSERT_FALSE(result) << text;
    expect_bad_picture(result.error());
  }
  EXPECT_EQ(bitmap.pixels.capacity(), 0U);
}

TEST(Decode, RefusesEveryBrokenPicture) {
  Bitmap bitmap;
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::data_dir() / "pictures_broken")) {
    const auto result = decode(test::read_bytes(entry.path()), {}, bitmap);
    ASSERT_FALSE(result) << entry.path().filename();
    SCOPED_TRACE(entry.path().filename());
    expect_bad_picture(result.error());
    ++pictures;
  }
  EXPECT_GT(pictures, 30);
}

TEST(Decode, TakesTheLeastHeightForWhatItIs) {
  auto bytes = exact("24.bmp");
  put(bytes, 22, {0, 0, 0, 0x80});  // -2^31: top down, and without a positive counterpart in 32 bits
  const auto header = read_header(bytes, {});
  ASSERT_FALSE(header);
  expect_bad_picture(header.error(), Code::kPayloadTooLarge);
  EXPECT_THAT(header.error().message, HasSubstr("2147483648"));
}

TEST(Decode, SaysThatAnimationsAreNotOffered) {
  Bitmap bitmap;
  const auto result =
      decode(test::read_bytes(test::data_dir() / "pictures_broken/animated.webp"), {}, bitmap);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("animation"));
}

std::vector<std::byte> jpeg_of(int height, int width) {
  auto bytes = exact("420.jpg");
  for (std::size_t i = 0; i + 9 < bytes.size(); ++i) {
    if (bytes[i] == std::byte{0xFF} && bytes[i + 1] == std::byte{0xC0}) {
      put(bytes, i + 5, {height >> 8, height & 255, width >> 8, width & 255});
      break;
    }
  }
  return bytes;
}

TEST(Decode, RefusesHugePicturesFromTheirHeader) {
  constexpr int kSide = 60'000;  // 0x00EA60
  std::vector<std::vector<std::byte>> pictures;
  pictures.push_back(jpeg_of(kSide, kSide));
  pictures.push_back(exact("rgb_8.png"));
  put(pictures.back(), 16, {0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60});
  pictures.push_back(exact("orientation_6.webp"));  // VP8X: sides less one in 24 bits
  put(pictures.back(), 24, {0x5F, 0xEA, 0, 0x5F, 0xEA, 0});
  pictures.push_back(exact("24.bmp"));
  put(pictures.back(), 18, {0x60, 0xEA, 0, 0, 0x60, 0xEA, 0, 0});
  Bitmap bitmap;
  for (const auto& bytes : pictures) {
    const auto header = read_header(bytes, {});
    ASSERT_FALSE(header);
    expect_bad_picture(header.error(), Code::kPayloadTooLarge);
    EXPECT_THAT(header.error().message, HasSubstr("3600000000"));
    EXPECT_THAT(header.error().message, HasSubstr("100000000"));
    const auto decoded = decode(bytes, {}, bitmap);
    ASSERT_FALSE(decoded);
    expect_bad_picture(decoded.error(), Code::kPayloadTooLarge);
  }
  EXPECT_EQ(bitmap.pixels.capacity(), 0U);
}

TEST(Decode, RefusesPicturesThatSoFewBytesCannotHold) {
  std::vector<std::vector<std::byte>> pictures;
  pictures.push_back(jpeg_of(10'000, 9'000));
  pictures.push_back(exact("rgb_8.png"));
  put(pictures.back(), 16, {0, 0, 0x27, 0x10, 0, 0, 0x23, 0x28, 8, 2, 0, 0, 0, 0x9C, 0x07, 0xFD, 0xAC});
  pictures.push_back(exact("24.bmp"));
  put(pictures.back(), 18, {0x10, 0x27, 0, 0, 0x28, 0x23, 0, 0});
  pictures.push_back(exact("rle8.bmp"));
  put(pictures.back(), 18, {0x10, 0x27, 0, 0, 0x28, 0x23, 0, 0});
  pictures.push_back(exact("lossy.webp"));
  put(pictures.back(), 26, {0x10, 0x27, 0x28, 0x23});
  Bitmap bitmap;
  for (const auto& bytes : pictures) {
    ASSERT_TRUE(read_header(bytes, {}));
    const auto decoded = decode(bytes, {}, bitmap);
    ASSERT_FALSE(decoded);
    expect_bad_picture(decoded.error());
    EXPECT_THAT(decoded.error().message, testing::AnyOf(HasSubstr("cannot hold"), HasSubstr("cut short")));
  }
  EXPECT_EQ(bitmap.pixels.capacity(), 0U);
}

TEST(Decode, HoldsTheLimitExactly) {
  const auto bytes = exact("rgb_8.png");  // 37 x 29
  EXPECT_TRUE(read_header(bytes, {.max_pixels = std::uint64_t{37} * 29}));
  const auto refused = read_header(bytes, {.max_pixels = std::uint64_t{37} * 29 - 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPayloadTooLarge);
  EXPECT_EQ(refused.error().fields.limit, std::to_string(37 * 29 - 1));
}

// A PNG's text and profiles are for others: what they hold can neither cost memory nor the picture.
TEST(Decode, IgnoresNotesInPng) {
  const auto plain = exact("rgb_8.png");
  Bitmap expected;
  ASSERT_TRUE(decode(plain, {}, expected));
  constexpr std::size_t kBehindHeader = 33;
  for (const std::string_view type : {"zTXt", "iCCP", "iTXt", "sPLT", "prVt"}) {
    std::vector<std::byte> note(12 + 70'000, std::byte{0x78});
    put(note, 0, {0, 70'000 >> 16, 70'000 >> 8 & 255, 70'000 & 255, type[0], type[1], type[2], type[3]});
    auto bytes = plain;
    bytes.insert(bytes.begin() + kBehindHeader, note.begin(), note.end());
    Bitmap bitmap;
    const auto result = decode(bytes, {}, bitmap);
    ASSERT_TRUE(result) << type << ": " << result.error().message;
    EXPECT_EQ(bitmap.pixels, expected.pixels);
  }
}

// Small pictures, one for each branch of the decoders.
class HostilePicture : public testing::TestWithParam<const char*> {};

TEST_P(HostilePicture, IsRefusedWhereverItIsCut) {
  const auto bytes = exact(GetParam());
  Bitmap bitmap;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    // On the heap and no byte too many, so that AddressSanitizer sees a read behind the end.
    const std::vector<std::byte> prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const auto result = decode(prefix, {}, bitmap);
    ASSERT_FALSE(result) << "cut to " << length << " of " << bytes.size();
    ASSERT_EQ(result.error().reason, Reason::kBadPicture) << result.error().message;
  }
}

// A changed picture is an error or some picture; never a crash, never pixels beyond the limit.
TEST_P(HostilePicture, IsAnErrorOrAPictureWhenChanged) {
  constexpr int kRounds = 600;
  constexpr std::uint64_t kMaxPixels = 40'000;
  const auto original = exact(GetParam());
  Bitmap bitmap;
  int refused = 0;
  for (std::uint64_t seed = 0; seed < kRounds; ++seed) {
    std::mt19937_64 random(seed);
    auto bytes = original;
    const std::size_t changes = 1 + random() % 4;
    for (std::size_t change = 0; change < changes; ++change) {
      // Half of them in the first 100 bytes, where the headers are.
      const std::size_t range = random() % 2 == 0 ? std::min<std::size_t>(100, bytes.size()) : bytes.size();
      bytes[random() % range] = static_cast<std::byte>(random());
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    const auto result = decode(bytes, {.max_pixels = kMaxPixels}, bitmap);
    if (!result) {
      EXPECT_EQ(result.error().reason, Reason::kBadPicture)
          << "seed " << seed << ": " << result.error().message;
      ++refused;
      continue;
    }
    ASSERT_LE(bitmap.pixels.size(), kMaxPixels * 3) << "seed " << seed;
    ASSERT_EQ(bitmap.pixels.size(), bitmap.row_bytes() * static_cast<std::size_t>(bitmap.height))
        << "seed " << seed;
  }
  EXPECT_GT(refused, kRounds / 10);
}

INSTANTIATE_TEST_SUITE_P(Decode, HostilePicture,
                         testing::Values("420.jpg", "progressive.jpg", "cmyk.jpg", "orientation_6.jpg",
                                         "rgb_8.png", "palette_4.png", "text.png", "grey_16_interlaced.png",
                                         "lossy_alpha.webp", "lossless.webp", "orientation_6.webp", "24.bmp",
                                         "32_masks_v4.bmp", "4.bmp", "rle8.bmp", "rle4.bmp"),
                         [](const auto& victim) {
                           std::string name = victim.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace bascule::image

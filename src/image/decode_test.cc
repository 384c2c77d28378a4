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

// The largest and the mean distance of two pictures' samples.
std::pair<int, double> difference(const Bitmap& a, const Bitmap& b) {
  int furthest = 0;
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const int distance = std::abs(int{a.pixels[i]} - int{b.pixels[i]});
    furthest = std::max(furthest, distance);
    sum += distance;
  }
  return {furthest, sum / static_cast<double>(a.pixels.size())};
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
  EXPECT_GT(pictures, 180);
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

TEST(Decode, RefusesJpeg2000ByName) {
  Bitmap bitmap;
  using namespace std::string_view_literals;
  for (const std::string_view start :
       {"\xFF\x4F\xFF\x51\0\x2F\0\0"sv, "\0\0\0\x0CjP  \r\n\x87\n\0\0\0\x14"sv}) {
    const auto result = decode(bytes_of(start), {}, bitmap);
    ASSERT_FALSE(result);
    expect_bad_picture(result.error());
    EXPECT_THAT(result.error().message, HasSubstr("JPEG 2000"));
    EXPECT_THAT(result.error().message, HasSubstr("Convert it to PNG"));
  }
}

// Neither libtiff nor dav1d may write a hostile file's number of lines into our log.
TEST(Decode, SaysNothingOnStderr) {
  Bitmap bitmap;
  testing::internal::CaptureStderr();
  for (const auto& entry : std::filesystem::directory_iterator(test::data_dir() / "pictures_broken"))
    (void)decode(test::read_bytes(entry.path()), {}, bitmap);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Decode, RefusesEveryBrokenPicture) {
  Bitmap bitmap;
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::data_dir() / "pictures_broken")) {
    const auto result = decode(test::read_bytes(entry.path()), {}, bitmap);
    ASSERT_FALSE(result) << entry.path().filename();
    SCOPED_TRACE(entry.path().filename());
    expect_bad_picture(result.error());
    EXPECT_LT(bitmap.pixels.capacity(), 1U << 20);
    ++pictures;
  }
  EXPECT_GT(pictures, 75);
}

TEST(Decode, TakesTheLeastHeightForWhatItIs) {
  auto bytes = exact("24.bmp");
  put(bytes, 22, {0, 0, 0, 0x80});  // -2^31: top down, and without a positive counterpart in 32 bits
  const auto header = read_header(bytes, {});
  ASSERT_FALSE(header);
  expect_bad_picture(header.error(), Code::kPayloadTooLarge);
  EXPECT_THAT(header.error().message, HasSubstr("2147483648"));
}

// Lossy AVIF and HEIC: how YCbCr becomes R, G, B is rounded, and its colours are spread, a little differently
// in each version of each library.
TEST(Decode, IsNearWhatPillowMakesOfLossyPictures) {
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::data_dir() / "pictures_near")) {
    if (entry.path().extension() == ".png") continue;
    SCOPED_TRACE(entry.path().filename());
    Bitmap expected;
    ASSERT_TRUE(decode(test::read_bytes(entry.path().string() + ".png"), {}, expected));
    Bitmap bitmap;
    const auto bytes = test::read_bytes(entry.path());
    const auto header = read_header(bytes, {});
    ASSERT_TRUE(header) << header.error().message;
    const auto decoded = decode(bytes, {}, bitmap);
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_EQ(bitmap.height, expected.height);
    ASSERT_EQ(bitmap.width, expected.width);
    EXPECT_EQ(header->format, entry.path().extension() == ".avif" ? Format::kAvif : Format::kHeic);
    const auto [furthest, mean] = difference(bitmap, expected);
    EXPECT_LE(furthest, 4) << "mean " << mean;  // 0 or 1 with 8 bits
    EXPECT_LE(mean, 0.75);
    ++pictures;
  }
  EXPECT_EQ(pictures, 32);
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

// Where the value of a tag stands in a little-endian TIFF with its one directory at the end.
std::size_t tiff_value(const std::vector<std::byte>& bytes, int tag) {
  for (std::size_t at =
           std::to_integer<std::size_t>(bytes[4]) + (std::to_integer<std::size_t>(bytes[5]) << 8) + 2;
       at + 12 <= bytes.size(); at += 12) {
    if (std::to_integer<int>(bytes[at]) + (std::to_integer<int>(bytes[at + 1]) << 8) == tag) return at + 8;
  }
  ADD_FAILURE() << "no tag " << tag;
  return 0;
}

// Every box "ispe" of an AVIF or HEIC file says `side` x `side`.
std::vector<std::byte> with_sides(std::vector<std::byte> bytes, int side) {
  const auto name = bytes_of("ispe");
  auto at = bytes.begin();
  while ((at = std::search(at, bytes.end(), name.begin(), name.end())) != bytes.end()) {
    const int high = side >> 8;
    const int low = side & 255;
    put(bytes, static_cast<std::size_t>(at - bytes.begin()) + 8, {0, 0, high, low, 0, 0, high, low});
    ++at;
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
  pictures.push_back(exact("rgb_8.tif"));
  put(pictures.back(), tiff_value(pictures.back(), 256), {0x60, 0xEA, 0, 0});
  put(pictures.back(), tiff_value(pictures.back(), 257), {0x60, 0xEA, 0, 0});
  pictures.push_back(exact("plain.gif"));
  put(pictures.back(), 6, {0x60, 0xEA, 0x60, 0xEA});
  pictures.push_back(with_sides(test::read_bytes(test::data_dir() / "pictures_real/steel.heic"), kSide));
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
  // libavif has a limit of its own, below what this file says.
  const auto avif = decode(with_sides(exact("lossless.avif"), kSide), {}, bitmap);
  ASSERT_FALSE(avif);
  expect_bad_picture(avif.error());
  EXPECT_THAT(avif.error().message, HasSubstr("60000x60000"));
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
  for (const char* name : {"rgb_8.tif", "lzw.tif", "jpeg.tif", "packbits.tif", "deflate.tif"}) {
    pictures.push_back(exact(name));
    put(pictures.back(), tiff_value(pictures.back(), 256), {0x10, 0x27});
    put(pictures.back(), tiff_value(pictures.back(), 257), {0x28, 0x23});
  }
  pictures.push_back(test::read_bytes(test::data_dir() / "pictures_broken/pixels_for_nothing.gif"));
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

}  // namespace
}  // namespace bascule::image

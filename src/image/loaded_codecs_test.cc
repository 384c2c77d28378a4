#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "image/codec_library.h"
#include "image/decoders.h"
#include "image/hevc_decoder.h"
#include "image/test_support.h"

namespace bascule::image {
namespace {

using testing::HasSubstr;

TEST(CodecLibrary, SaysWhichPackageIsMissing) {
  const auto none = open_codec("libnothing_of_that_name.so.9", "libnothing9");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnavailable);
  EXPECT_EQ(none.error().reason, Reason::kBadPicture);
  EXPECT_THAT(none.error().message, HasSubstr("libnothing_of_that_name.so.9"));
  EXPECT_THAT(none.error().message, HasSubstr("Install the package libnothing9"));
}

TEST(CodecLibrary, SaysWhichFunctionIsMissing) {
  const auto math = open_codec("libm.so.6", "libc6");
  ASSERT_TRUE(math) << math.error().message;
  double (*cosine)(double) = nullptr;
  EXPECT_TRUE(math->find("cos", cosine));
  EXPECT_EQ(cosine(0), 1);
  void (*other)() = nullptr;
  const auto none = math->find("no_such_function", other);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnavailable);
  EXPECT_THAT(none.error().message, HasSubstr("no_such_function"));
}

// The sequence parameters of a HEIC file: the unit that begins with 0x42 0x01 in its box hvcC.
std::vector<std::uint8_t> sequence_parameters(const std::string& file) {
  const auto bytes = test::read_bytes(test::data_dir() / file);
  const auto* text = reinterpret_cast<const std::uint8_t*>(bytes.data());
  constexpr std::uint8_t kStart[] = {0x42, 0x01, 0x01};
  const auto* found = std::search(text, text + bytes.size(), std::begin(kStart), std::end(kStart));
  if (found == text + bytes.size()) return {};
  return {found, found + (std::size_t{found[-2]} << 8 | found[-1])};
}

TEST(HevcPixels, AreWhatTheParametersSay) {
  EXPECT_EQ(hevc_pixels(sequence_parameters("pictures_real/steel.heic")), 128U * 96);
  EXPECT_EQ(hevc_pixels(sequence_parameters("pictures_near/grid.heic")), 64U * 64);
  EXPECT_EQ(hevc_pixels(sequence_parameters("pictures_broken/coded_huge.heic")), 65535ULL * 65535);
}

TEST(HevcPixels, AreNoneWhereTheyCannotBeRead) {
  auto parameters = sequence_parameters("pictures_real/steel.heic");
  parameters.resize(12);
  EXPECT_EQ(hevc_pixels(parameters), 0U);
  EXPECT_EQ(hevc_pixels({}), 0U);
}

TEST(HevcPixels, AreManyForTheLargestNumbers) {
  EXPECT_GT(hevc_pixels(std::vector<std::uint8_t>(300)), 1ULL << 60);
}

TEST(HevcBudget, IsSpentOnce) {
  HevcBudget budget(100, 150);
  EXPECT_TRUE(budget.fits(100));
  EXPECT_FALSE(budget.fits(101));
  EXPECT_TRUE(budget.spend(100));
  EXPECT_FALSE(budget.spend(51));
  EXPECT_TRUE(budget.spend(50));
  EXPECT_FALSE(budget.spend(1));
}

// Directories that lead to themselves, or to anywhere: one is read, once.
TEST(ExifOrientation, ComesToAnEnd) {
  for (int offset = 0; offset < 64; ++offset) {
    std::vector<std::byte> note(48, std::byte{0xFF});  // as many entries as can be said
    constexpr char kHead[] = {'I', 'I', 42, 0};
    std::ranges::copy(std::as_bytes(std::span(kHead)), note.begin());
    note[4] = static_cast<std::byte>(offset);
    note[5] = note[6] = note[7] = std::byte{0};
    const int orientation = exif_orientation(note);
    EXPECT_GE(orientation, 1);
    EXPECT_LE(orientation, 8);
  }
}

}  // namespace
}  // namespace bascule::image

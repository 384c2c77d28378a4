#include "image/letterbox.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "image/decode.h"
#include "image/test_support.h"

namespace bascule::image {
namespace {

using content::PictureSize;

std::string hash_of(std::span<const float> values) { return test::fnv1a(std::as_bytes(values)); }

std::vector<float> letterboxed(const Bitmap& bitmap, int side, LetterboxMode mode, Letterbox& plan,
                               LetterboxScratch& scratch) {
  plan = plan_letterbox({bitmap.height, bitmap.width}, {side, side}, mode, 32);
  const std::size_t size = std::size_t{3} * static_cast<std::size_t>(plan.input.height) *
                           static_cast<std::size_t>(plan.input.width);
  std::vector<float> out(size, std::numeric_limits<float>::quiet_NaN());
  letterbox_to_chw(bitmap, plan, scratch, out);
  return out;
}

struct PlanCase {
  PictureSize original, target;
  LetterboxMode mode;
  PictureSize resized, input;
  int top, left;
};

TEST(Letterbox, PlansLikeTheReference) {
  constexpr auto kRect = LetterboxMode::kRect;
  constexpr auto kSquare = LetterboxMode::kSquare;
  const PlanCase cases[] = {
      {{1080, 810}, {640, 640}, kRect, {640, 480}, {640, 480}, 0, 0},
      {{1080, 810}, {640, 640}, kSquare, {640, 480}, {640, 640}, 0, 80},
      {{720, 1280}, {640, 640}, kRect, {360, 640}, {384, 640}, 12, 0},
      {{720, 1280}, {640, 640}, kSquare, {360, 640}, {640, 640}, 140, 0},
      {{375, 500}, {640, 640}, kRect, {480, 640}, {480, 640}, 0, 0},
      {{100, 333}, {640, 640}, kRect, {192, 640}, {192, 640}, 0, 0},  // 192.19
      {{333, 500}, {640, 640}, kRect, {426, 640}, {448, 640}, 11, 0},
      {{427, 640}, {640, 640}, kRect, {427, 640}, {448, 640}, 10, 0},  // an odd 21: 10 above, 11 below
      {{427, 640}, {640, 640}, kSquare, {427, 640}, {640, 640}, 106, 0},
      {{1, 3000}, {640, 640}, kRect, {1, 640}, {32, 640}, 15, 0},  // thin, yet one pixel stays
      {{5, 4}, {2, 2}, kSquare, {2, 2}, {2, 2}, 0, 0},             // 1.6
      {{8, 5}, {4, 4}, kSquare, {4, 2}, {4, 4}, 0, 1},             // 2.5 goes to the even 2
  };
  for (const PlanCase& c : cases) {
    SCOPED_TRACE(testing::Message() << c.original.height << " x " << c.original.width);
    const Letterbox plan = plan_letterbox(c.original, c.target, c.mode, 32);
    EXPECT_EQ(plan.resized, c.resized);
    EXPECT_EQ(plan.input, c.input);
    EXPECT_EQ(plan.top, c.top);
    EXPECT_EQ(plan.left, c.left);
  }
}

TEST(Letterbox, LeadsBackAsTheReferenceDoes) {
  const Letterbox usual = plan_letterbox({333, 500}, {640, 640}, LetterboxMode::kRect, 32);
  EXPECT_EQ(usual.box_top, usual.top);
  EXPECT_EQ(usual.box_left, usual.left);
  EXPECT_EQ(usual.gain_y, 426.0 / 333.0);
  EXPECT_EQ(usual.gain_x, 640.0 / 500.0);
  // scale_boxes takes its gain from 32 / 100, not from 640 / 1990, and so finds 637 rows in the 640.
  const Letterbox thin = plan_letterbox({1990, 100}, {640, 640}, LetterboxMode::kRect, 32);
  EXPECT_EQ(thin.resized, (PictureSize{640, 32}));
  EXPECT_EQ(thin.top, 0);
  EXPECT_EQ(thin.box_top, 1);
  EXPECT_EQ(thin.gain_y, 637.0 / 1990.0);
}

TEST(Letterbox, ResizesByteForByteLikeOpenCv) {
  std::ifstream list(test::data_dir() / "pictures_exact/resize.txt");
  std::uint64_t seed = 0;
  int height = 0;
  int width = 0;
  int new_height = 0;
  int new_width = 0;
  int cases = 0;
  std::string hash;
  while (list >> seed >> height >> width >> new_height >> new_width >> hash) {
    SCOPED_TRACE(testing::Message() << height << " x " << width << " to " << new_height << " x "
                                    << new_width);
    const Bitmap resized = resize_linear(test::noise(seed, height, width), new_height, new_width);
    EXPECT_EQ(resized.height, new_height);
    EXPECT_EQ(resized.width, new_width);
    EXPECT_EQ(test::fnv1a(std::as_bytes(std::span(resized.pixels))), hash);
    ++cases;
  }
  EXPECT_EQ(cases, 24);
}

TEST(Letterbox, MakesTheReferencesTensor) {
  std::ifstream list(test::data_dir() / "pictures_exact/letterbox.txt");
  std::uint64_t seed = 0;
  int height = 0;
  int width = 0;
  PictureSize input;
  std::string mode;
  std::string hash;
  int cases = 0;
  LetterboxScratch scratch;
  while (list >> seed >> height >> width >> mode >> input.height >> input.width >> hash) {
    SCOPED_TRACE(testing::Message() << height << " x " << width << ' ' << mode);
    Letterbox plan;
    const auto tensor =
        letterboxed(test::noise(seed, height, width), 64,
                    mode == "rect" ? LetterboxMode::kRect : LetterboxMode::kSquare, plan, scratch);
    EXPECT_EQ(plan.input, input);
    EXPECT_EQ(hash_of(tensor), hash);
    ++cases;
  }
  EXPECT_EQ(cases, 22);
}

TEST(Letterbox, MakesTheReferencesTensorOfPhotographs) {
  std::ifstream list(test::data_dir() / "pictures_exact/photos.txt");
  std::string name;
  std::string hash;
  std::string tensor_hash;
  int height = 0;
  int width = 0;
  int cases = 0;
  LetterboxScratch scratch;
  while (list >> name >> height >> width >> hash >> tensor_hash) {
    SCOPED_TRACE(name);
    Bitmap bitmap;
    ASSERT_TRUE(decode(test::read_bytes(test::data_dir() / "pictures" / name), {}, bitmap));
    Letterbox plan;
    EXPECT_EQ(hash_of(letterboxed(bitmap, 160, LetterboxMode::kRect, plan, scratch)), tensor_hash);
    ++cases;
  }
  EXPECT_EQ(cases, 4);
}

// Sides are those of the reference package's load_image and the LetterBox after it.
TEST(Letterbox, StandsInTheMiddle) {
  struct Case {
    PictureSize original;
    int longer;
    PictureSize input, resized;
    int top, left;
  };
  const Case cases[] = {
      {{200, 200}, 224, {256, 256}, {224, 224}, 16, 16},
      {{100, 333}, 640, {224, 672}, {193, 640}, 15, 16},  // 192.19 is rounded up; an odd 31: 15 above, 16
                                                          // below
      {{333, 100}, 640, {672, 224}, {640, 193}, 16, 15},
      {{320, 320}, 320, {320, 320}, {320, 320}, 0, 0},
      {{1, 3000}, 320, {32, 352}, {1, 320}, 15, 16},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.original.height << " x " << c.original.width);
    const Letterbox plan = plan_in_the_middle(c.original, c.longer, c.input);
    EXPECT_EQ(plan.resized, c.resized);
    EXPECT_EQ(plan.input, c.input);
    EXPECT_EQ(plan.top, c.top);
    EXPECT_EQ(plan.left, c.left);
    EXPECT_EQ(plan.box_top, c.top);
    EXPECT_EQ(plan.gain_x, static_cast<double>(c.resized.width) / c.original.width);
  }
}

}  // namespace
}  // namespace bascule::image

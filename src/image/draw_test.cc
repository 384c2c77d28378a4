#include "image/draw.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

namespace bascule::image {
namespace {

Bitmap blank(int height, int width) {
  Bitmap bitmap{height, width, {}};
  bitmap.pixels.resize(bitmap.row_bytes() * static_cast<std::size_t>(height));
  return bitmap;
}

Color at(const Bitmap& bitmap, int x, int y) {
  const std::uint8_t* pixel = bitmap.row(y) + std::ptrdiff_t{3} * x;
  return {pixel[0], pixel[1], pixel[2]};
}

// The picture as text: '#' where it is drawn on.
std::string shape(const Bitmap& bitmap) {
  std::string text;
  for (int y = 0; y < bitmap.height; ++y) {
    for (int x = 0; x < bitmap.width; ++x) text += at(bitmap, x, y) == Color{} ? '.' : '#';
    text += '\n';
  }
  return text;
}

constexpr Color kRed{255, 0, 0};
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Draw, OutlinesABoxWithCornersInAnyOrder) {
  const std::string expected =
      "........\n"
      ".#####..\n"
      ".#...#..\n"
      ".#...#..\n"
      ".#####..\n"
      "........\n";
  for (const auto& [x1, y1, x2, y2] : {std::array{1.F, 1.F, 5.F, 4.F}, std::array{5.9F, 4.2F, 1.5F, 1.F}}) {
    Bitmap bitmap = blank(6, 8);
    draw_box(bitmap, x1, y1, x2, y2, kRed, 1);
    EXPECT_EQ(shape(bitmap), expected);
  }
}

TEST(Draw, KeepsTheLineOfABoxAtTheEdgeInSight) {
  Bitmap bitmap = blank(5, 6);
  draw_box(bitmap, 0, 0, 6, 5, kRed, 1);
  EXPECT_EQ(shape(bitmap), "######\n#....#\n#....#\n#....#\n######\n");
}

TEST(Draw, ClipsWhatLeavesThePicture) {
  Bitmap bitmap = blank(4, 4);
  draw_box(bitmap, -3, 2, 90, 1e30F, kRed, 1);
  EXPECT_EQ(shape(bitmap), "....\n....\n####\n....\n");
  const std::string before = shape(bitmap);
  draw_box(bitmap, -kInfinity, 0, 3, 3, kRed, 1);
  draw_box(bitmap, std::numeric_limits<float>::quiet_NaN(), 0, 3, 3, kRed, 1);
  draw_box(bitmap, 100, 100, 200, 200, kRed, 9);
  EXPECT_EQ(shape(bitmap), before);
}

TEST(Draw, SurvivesThickLinesAndTinyPictures) {
  for (const int side : {1, 2, 3}) {
    Bitmap bitmap = blank(side, side);
    draw_box(bitmap, 0, 0, static_cast<float>(side), static_cast<float>(side), kRed, 50);
    draw_label(bitmap, 0, 0, "label", kRed, 50);
    draw_label(bitmap, -1000, 100'000, std::string(100'000, 'W'), kRed, 1);
    EXPECT_NE(at(bitmap, 0, 0), Color{});
  }
}

TEST(Draw, WritesLettersOnTheirGround) {
  Bitmap bitmap = blank(10, 7);
  draw_label(bitmap, 0, 10, "T", {200, 0, 0}, 1);
  std::string letters;
  for (int y = 1; y < 9; ++y) {
    for (int x = 1; x < 6; ++x) letters += at(bitmap, x, y) == Color{255, 255, 255} ? '#' : '.';
    letters += '\n';
  }
  EXPECT_EQ(letters, "#####\n..#..\n..#..\n..#..\n..#..\n..#..\n..#..\n.....\n");
  EXPECT_EQ(at(bitmap, 0, 0), (Color{200, 0, 0}));
}

TEST(Draw, ChoosesLettersThatReadOnTheGround) {
  Bitmap bitmap = blank(10, 7);
  draw_label(bitmap, 0, 10, "T", {250, 240, 100}, 1);
  EXPECT_EQ(at(bitmap, 1, 1), (Color{0, 0, 0}));
}

TEST(Draw, KeepsLabelsInsideThePicture) {
  Bitmap bitmap = blank(30, 60);
  draw_label(bitmap, 55, 3, "abc", kRed, 1);  // would leave at the right and at the top
  EXPECT_EQ(at(bitmap, 59, 0), kRed);
  EXPECT_EQ(at(bitmap, 59, 9), kRed);
  EXPECT_EQ(at(bitmap, 59, 10), Color{});
}

TEST(Draw, ShowsUnprintableCharactersAsQuestionMarks) {
  Bitmap marks = blank(12, 40);
  Bitmap bytes = blank(12, 40);
  draw_label(marks, 0, 12, "???", kRed, 1);
  draw_label(bytes, 0, 12, "\x01\xC3\x7F", kRed, 1);
  EXPECT_EQ(marks.pixels, bytes.pixels);
}

TEST(Draw, GivesEveryCharacterAGlyphOfItsOwn) {
  std::set<std::vector<std::uint8_t>> seen;
  for (char character = ' '; character <= '~'; ++character) {
    Bitmap bitmap = blank(12, 9);
    draw_label(bitmap, 0, 12, std::string(1, character), kRed, 1);
    EXPECT_TRUE(seen.insert(bitmap.pixels).second) << character;
  }
  EXPECT_EQ(seen.size(), 95U);
}

TEST(Draw, TellsClassesApart) {
  std::set<Color> colors;
  for (int id = 0; id < 20; ++id) colors.insert(class_color(id));
  EXPECT_EQ(colors.size(), 20U);
  EXPECT_EQ(class_color(3), class_color(23));
  EXPECT_EQ(class_color(-1), class_color(19));
}

TEST(Draw, GrowsLinesWithThePicture) {
  EXPECT_EQ(annotation_scale({1, 1, {}}), 1);
  EXPECT_EQ(annotation_scale({480, 640, {}}), 2);
  EXPECT_EQ(annotation_scale({3000, 4000, {}}), 10);
}

}  // namespace
}  // namespace bascule::image

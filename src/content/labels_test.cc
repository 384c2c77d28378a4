#include "content/labels.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::content {
namespace {

using testing::HasSubstr;

TEST(Labels, AreBoxesInPixels) {
  const auto labels = read_labels(
      "\xEF\xBB\xBF"
      "2 0.5 0.25 0.5 0.5\r\n\n  0\t1 1 0 0  ",
      "a.txt", {.classes = 3});
  ASSERT_TRUE(labels) << labels.error().message;
  ASSERT_EQ(labels->size(), 2U);
  EXPECT_EQ(labels->at(0).class_id, 2);
  const Box box = box_of(labels->at(0), {.height = 100, .width = 200});
  EXPECT_EQ(box.x1, 50);
  EXPECT_EQ(box.y1, 0);
  EXPECT_EQ(box.x2, 150);
  EXPECT_EQ(box.y2, 50);
  EXPECT_EQ(box_of(labels->at(1), {.height = 100, .width = 200}).x1, 200);
}

TEST(Labels, OfAnOutlineAreTheBoxAroundIt) {
  const auto labels = read_labels("1 0.1 0.2 0.5 0.2 0.3 0.8\n", "a.txt", {});
  ASSERT_TRUE(labels) << labels.error().message;
  ASSERT_EQ(labels->size(), 1U);
  const Box box = box_of(labels->front(), {.height = 10, .width = 10});
  EXPECT_NEAR(box.x1, 1, 1e-5);
  EXPECT_NEAR(box.y1, 2, 1e-5);
  EXPECT_NEAR(box.x2, 5, 1e-5);
  EXPECT_NEAR(box.y2, 8, 1e-5);
}

TEST(Labels, LeaveOutKeypointsAndWhatIsSaidTwice) {
  const auto poses = read_labels("0 .5 .5 .2 .2 .1 .1 2 7 7 0\n", "a.txt", {.keypoints = true});
  ASSERT_TRUE(poses) << poses.error().message;
  EXPECT_NEAR(poses->front().width, .2, 1e-6);
  const auto twice = read_labels("0 .5 .5 .2 .2\n1 .5 .5 .2 .2\n0 0.50 .5 .2 .2\n", "a.txt", {});
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->size(), 2U);
  EXPECT_TRUE(read_labels("", "a.txt", {})->empty());
}

TEST(Labels, SayWhichLineIsWrong) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"0 .5 .5 .2\n", "a.txt:1: there are 4 numbers"},
      {"0 .5 .5 .2 .2 .3\n", "a.txt:1: there are 6 numbers"},
      {"0 .1 .1 .2 .2 .3 .3 .4\n", "a.txt:1: there are 8 numbers"},
      {"0 .5 .5 .2 .2\n0 .5 x .2 .2\n", "a.txt:2: 'x' is no number"},
      {"0 .5 nan .2 .2\n", "a.txt:1: 'nan' is no number"},
      {"0 .5 1e999 .2 .2\n", "a.txt:1: '1e999' is no number"},
      {"\n0.5 .5 .5 .2 .2\n", "a.txt:2: 0.5 is no class"},
      {"-1 .5 .5 .2 .2\n", "a.txt:1: -1 is no class"},
      {"3 .5 .5 .2 .2\n", "a.txt:1: there is no class 3; the data set has 0 to 2."},
      {"0 .5 .5 .2 2\n", "a.txt:1: 2 lies outside of the picture"},
      {"0 -.5 .5 .2 .2\n", "a.txt:1: -0.5 lies outside"},
      {"0 .5 .5 -.005 .2\n", "a.txt:1: a box of -0.005 x 0.2 has no size"},
      {"0 .5 .5 .2 .2\n0 .1 .1 .2 .2 .3 .3\n", "a.txt:2: this is an outline, the lines before are boxes"},
  };
  for (const Case& c : cases) {
    const auto got = read_labels(c.text, "a.txt", {.classes = 3});
    ASSERT_FALSE(got) << c.text;
    EXPECT_THAT(got.error().message, HasSubstr(c.message));
  }
}

// Whatever lies in a label file, the answer is labels or a sentence.
TEST(Labels, SurviveAnything) {
  std::string text;
  for (int i = 0; i < 5'000; ++i) {
    text.assign(1 + static_cast<std::size_t>(i) % 40, ' ');
    unsigned state = static_cast<unsigned>(i) * 2654435761U + 1;
    for (char& c : text) {
      state = state * 1664525U + 1013904223U;
      c = "0123456789.-e \n\t\xFF\0+inf"[(state >> 16U) % 22];
    }
    const auto got = read_labels(text, "a.txt", {.classes = 3, .keypoints = i % 2 == 0});
    if (!got) {
      EXPECT_THAT(got.error().message, HasSubstr("a.txt:"));
    }
  }
}

}  // namespace
}  // namespace bascule::content

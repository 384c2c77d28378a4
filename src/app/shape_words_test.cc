#include "app/shape_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::app {
namespace {

TEST(ShapeWords, AreReadAndWritten) {
  for (const char* words : {"1x3x640x640", "7", "1x1000000"}) {
    const auto shape = read_shape(words);
    ASSERT_TRUE(shape) << shape.error().message;
    EXPECT_EQ(shape_words(*shape), words);
  }
  EXPECT_EQ(read_shape("1x3x256x320").value(), (tensor::Shape{1, 3, 256, 320}));
}

TEST(ShapeWords, AreRefusedWithASentence) {
  for (const char* words :
       {"", "x", "1x", "x3", "1xx3", "0x3", "-1x3", "1x3x-640", "1X3", "1 x 3", "1x1000001",
        "1x99999999999999999999", "axb", "1.5x2", "1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1"}) {
    const auto shape = read_shape(words);
    ASSERT_FALSE(shape) << words;
    EXPECT_THAT(shape.error().message, testing::HasSubstr("such as 1x3x640x640."));
  }
}

}  // namespace
}  // namespace bascule::app

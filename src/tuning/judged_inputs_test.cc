#include "tuning/judged_inputs.h"

#include <vector>

#include <gtest/gtest.h>

namespace bascule::tuning {
namespace {

using content::PictureSize;

// The expected sides are those of the reference package's set_rectangle with a padding of half a stride.
TEST(JudgedInputs, AreThoseOfTheReference) {
  struct Case {
    std::vector<PictureSize> pictures;
    int size;
    std::size_t group;
    std::vector<PictureSize> expected;
  };
  const Case cases[] = {
      {{{200, 200}}, 224, 16, {{256, 256}}},
      {{{480, 640}}, 640, 16, {{512, 672}}},
      {{{640, 480}}, 640, 16, {{672, 512}}},
      {{{480, 640}, {640, 480}}, 640, 16, {{672, 672}, {672, 672}}},
      {{{640, 480}, {480, 640}}, 640, 1, {{672, 512}, {512, 672}}},
      {{{360, 640}, {480, 640}, {640, 640}}, 320, 2, {{256, 352}, {256, 352}, {352, 352}}},
      {{}, 640, 16, {}},
  };
  for (const Case& c : cases) EXPECT_EQ(judged_inputs(c.pictures, c.size, 32, c.group), c.expected);
}

}  // namespace
}  // namespace bascule::tuning

#include "expected.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::conformance {
namespace {

ExpectedPicture expected() {
  return {.file = "p.jpg",
          .size = {10, 10},
          .confidence = 0.25,
          .rows = {{"a", {0, 0.9F, {0, 0, 5, 5}}}, {"b", {1, 0.2502F, {1, 1, 2, 2}}}}};
}

std::vector<std::string> complaints(const std::vector<content::Detection>& found) {
  Deviation deviation;
  return compare(expected(), found, deviation);
}

// The comparison that the reference tests lean on: it must be able to say no.
TEST(Compare, SaysWhatIsMissingExtraOrOff) {
  const content::Detection a{0, 0.901F, {0.1F, 0, 5, 5}};
  const content::Detection b{1, 0.2502F, {1, 1, 2, 2}};
  EXPECT_TRUE(complaints({a, b}).empty());
  EXPECT_TRUE(complaints({b, a}).empty());
  EXPECT_TRUE(complaints({a}).empty()) << "b lies at the threshold";
  EXPECT_THAT(complaints({b}), testing::ElementsAre(testing::HasSubstr("missing")));
  EXPECT_EQ(complaints({a, a, b}).size(), 1U);
  EXPECT_EQ(complaints({{1, 0.901F, a.box}, b}).size(), 2U) << "another class";
  EXPECT_EQ(complaints({{0, 0.903F, a.box}, b}).size(), 2U) << "another confidence";
  EXPECT_EQ(complaints({{0, 0.9F, {0.21F, 0, 5, 5}}, b}).size(), 2U) << "another box";
  EXPECT_EQ(complaints({{0, 0.9F, {NAN, 0, 5, 5}}, b}).size(), 2U) << "no box";
}

TEST(Compare, KeepsTheWorst) {
  Deviation deviation;
  EXPECT_TRUE(compare(expected(), {{0, 0.9015F, {0, 0, 5, 5.125F}}}, deviation).empty());
  EXPECT_NEAR(deviation.box, 0.125, 1e-6);
  EXPECT_NEAR(deviation.confidence, 0.0015, 1e-6);
  EXPECT_EQ(deviation.rows, 1U);
  EXPECT_EQ(deviation.near_threshold, 1U);
}

}  // namespace
}  // namespace bascule::conformance

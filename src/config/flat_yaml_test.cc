#include "config/flat_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::config {
namespace {

TEST(FlatYaml, WritesWhatIsNestedAsPythonDoes) {
  const auto read = read_flat_yaml(
      "task: detect\nstride: 32\nimgsz:\n- 640\n- 640\nnames:\n  0: person\n  1: driver's \\ cab\n"
      "args:\n  half: false\n  name: '7'\n  none:\n",
      "metadata.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->at("task"), "detect");
  EXPECT_EQ(read->at("stride"), "32");
  EXPECT_EQ(read->at("imgsz"), "[640, 640]");
  EXPECT_EQ(read->at("names"), R"({0: 'person', 1: 'driver\'s \\ cab'})");
  EXPECT_EQ(read->at("args"), "{'half': False, 'name': '7', 'none': None}");
}

TEST(FlatYaml, RefusesWhatIsNoMapAndWhatIsTooDeep) {
  EXPECT_FALSE(read_flat_yaml("- 1\n", "m.yaml"));
  const auto broken = read_flat_yaml("a: [1\nb: 2\n", "m.yaml");
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, testing::StartsWith("m.yaml:"));
  EXPECT_FALSE(read_flat_yaml("a: [[[[[[[[[[1]]]]]]]]]]\n", "m.yaml"));
}

}  // namespace
}  // namespace bascule::config

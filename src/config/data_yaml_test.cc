#include "config/data_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(DataYaml, ReadsPathsAndNames) {
  const auto got =
      read_data_yaml("path: ../set\ntrain: a\nval: images/val\nnc: 2\nnames: [cat, dog]\n", "d.yaml", "val");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->path, "../set");
  EXPECT_THAT(got->split, ElementsAre("images/val"));
  EXPECT_THAT(got->names, ElementsAre(Pair(0, "cat"), Pair(1, "dog")));
}

TEST(DataYaml, TakesListsMapsAndTheOtherName) {
  const auto got = read_data_yaml("validation:\n - a\n - b.txt\nnames:\n  0: cat\n  3: 7\n", "d.yaml", "val");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->path, "");
  EXPECT_THAT(got->split, ElementsAre("a", "b.txt"));
  EXPECT_THAT(got->names, ElementsAre(Pair(0, "cat"), Pair(3, "7")));
}

TEST(DataYaml, SaysWhatIsWrongAndWhere) {
  struct Case {
    const char* yaml;
    const char* message;
  };
  const Case cases[] = {
      {"names: [a]\n", "d.yaml:1: there is no 'val'"},
      {"- a\n", "d.yaml:1: a data set is described by a map"},
      {"val: a\nnames: 3\n", "d.yaml:2: 'names' is a list"},
      {"val: a\nnames: {x: y}\n", "d.yaml:2: 'x' is no class"},
      {"val: {a: b}\n", "d.yaml:1: 'val' must be a single value"},
      {"val: a\npath: [b]\n", "d.yaml:2: 'path' must be a single value"},
      {"val: [a\n", "this is not YAML"},
  };
  for (const Case& c : cases) {
    const auto got = read_data_yaml(c.yaml, "d.yaml", "val");
    ASSERT_FALSE(got) << c.yaml;
    EXPECT_THAT(got.error().message, HasSubstr(c.message));
  }
}

}  // namespace
}  // namespace bascule::config

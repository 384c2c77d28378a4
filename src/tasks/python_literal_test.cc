#include "tasks/python_literal.h"

#include <cstddef>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::tasks {
namespace {

TEST(PythonLiteral, ReadsTheDictionaryOfClassNames) {
  const auto read = parse_python_literal(R"({0: 'apple', 1: "dog's bed", 2: 'a\'b', 3: 'caf\xe9 \u20ac'})");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_NE(read->dict(), nullptr);
  const auto& entries = *read->dict();
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].key.integer(), 0);
  EXPECT_EQ(*entries[0].value.text(), "apple");
  EXPECT_EQ(*entries[1].value.text(), "dog's bed");
  EXPECT_EQ(*entries[2].value.text(), "a'b");
  EXPECT_EQ(*entries[3].value.text(), "caf\xC3\xA9 \xE2\x82\xAC");
}

TEST(PythonLiteral, ReadsTheArgumentsOfAnExport) {
  const auto read = parse_python_literal(
      "{'data': None, 'batch': 1, 'fraction': 1.0, 'nms': False, 'dynamic': True, 'imgsz': (320, 640), }");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_FALSE(read->find("data")->truthy());
  EXPECT_FALSE(read->find("nms")->truthy());
  EXPECT_TRUE(read->find("dynamic")->truthy());
  EXPECT_EQ(read->find("batch")->integer(), 1);
  ASSERT_NE(read->find("imgsz")->list(), nullptr);
  EXPECT_EQ(read->find("imgsz")->list()->back().integer(), 640);
  EXPECT_EQ(read->find("missing"), nullptr);
}

TEST(PythonLiteral, TakesTheLastOfTwoEqualKeys) {
  const auto read = parse_python_literal("{'a': 1, 'a': 2}");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->find("a")->integer(), 2);
}

TEST(PythonLiteral, TellsATupleFromBrackets) {
  EXPECT_EQ(parse_python_literal("(7)")->integer(), 7);
  EXPECT_EQ(parse_python_literal("(7,)")->list()->size(), 1U);
  EXPECT_TRUE(parse_python_literal("()")->list()->empty());
  EXPECT_TRUE(parse_python_literal(" [ ] ")->list()->empty());
}

TEST(PythonLiteral, ReadsNumbers) {
  EXPECT_EQ(parse_python_literal("-12")->integer(), -12);
  EXPECT_EQ(parse_python_literal("+12")->integer(), 12);
  EXPECT_EQ(std::get<double>(parse_python_literal("1e-3")->value), 1e-3);
  EXPECT_EQ(std::get<double>(parse_python_literal("-.5")->value), -0.5);
}

class Refused : public testing::TestWithParam<std::string> {};

TEST_P(Refused, WithASentence) {
  const auto read = parse_python_literal(GetParam());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kInvalidArgument);
  EXPECT_THAT(read.error().message, testing::EndsWith("."));
}

INSTANTIATE_TEST_SUITE_P(PythonLiteral, Refused,
                         testing::Values("", "{", "[1", "[1 2]", "[,]", "{1}", "{1:}", "{1: 2", "{,}", "'a",
                                         "'a\nb'", "\"a'", "'\\x4'", "'\\ud800'", "'\\U00110000'", "'\\",
                                         "1 2", "--1", "-", "1.2.3", "99999999999999999999", "1e999999",
                                         "nan", "__import__('os')", "{1: 2}}", std::string("\0", 1), "b'x'"));

TEST(PythonLiteral, StopsAtItsLimits) {
  EXPECT_TRUE(parse_python_literal("[[[1]]]", {.depth = 3}));
  EXPECT_FALSE(parse_python_literal("[[[1]]]", {.depth = 2}));
  EXPECT_FALSE(parse_python_literal(std::string(1'000'000, '[')));
  EXPECT_TRUE(parse_python_literal("[1, 2]", {.values = 3}));
  EXPECT_FALSE(parse_python_literal("[1, 2]", {.values = 2}));
  EXPECT_TRUE(parse_python_literal("'abc'", {.bytes = 5}));
  EXPECT_FALSE(parse_python_literal("'abc'", {.bytes = 4}));
}

// Damaged and random texts end in a value or an error, never in anything worse (the sanitizers watch).
TEST(PythonLiteral, SurvivesDamage) {
  const std::string whole = R"({0: 'apple', 1: "b\'c\x41", 'args': {'nms': None, 'x': [1.5, (True, -2e3)]}})";
  std::mt19937 random(20);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = whole.substr(0, random() % (whole.size() + 1));
    for (unsigned i = 0; i < random() % 4 && !text.empty(); ++i) {
      text[random() % text.size()] = static_cast<char>(random() % 256);
    }
    const auto read = parse_python_literal(text);
    EXPECT_TRUE(read || !read.error().message.empty());
  }
}

TEST(PythonDict, IsWhatTheReaderReads) {
  EXPECT_EQ(write_python_dict({}), "");
  const std::map<std::string, std::string> pairs = {{"names", "{0: 'person', 1: \"it's\"}"},
                                                    {"stride", " 32"},
                                                    {"version", "8.4"},
                                                    {"description", "it's a \\ model\n"},
                                                    {"end2end", "True"},
                                                    {"imgsz", "[640, 640]"},
                                                    {"args", "{'nms': False"},
                                                    {"batch", "__import__('os')"},
                                                    {"raw", "\xff\xc3"}};
  const std::string written = write_python_dict(pairs);
  EXPECT_NE(written.find("'version': '8.4'"), std::string::npos);
  EXPECT_NE(written.find("'end2end': True"), std::string::npos);
  const auto read = parse_python_literal(written);
  ASSERT_TRUE(read) << written << ": " << read.error().message;
  EXPECT_EQ(read->find("stride")->integer(), 32);
  EXPECT_TRUE(read->find("end2end")->truthy());
  EXPECT_EQ(read->find("names")->dict()->size(), 2U);
  EXPECT_EQ(read->find("imgsz")->list()->size(), 2U);
  EXPECT_EQ(*read->find("description")->text(), pairs.at("description"));
  EXPECT_EQ(*read->find("batch")->text(), pairs.at("batch"));
  EXPECT_EQ(*read->find("args")->text(), pairs.at("args"));
  EXPECT_NE(read->find("raw")->text(), nullptr);
  EXPECT_EQ(write_python_dict({{"big", std::string(2'000'000, 'x')}}), "");
}

}  // namespace
}  // namespace bascule::tasks

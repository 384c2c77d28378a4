#include "content/csv.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::content {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> texts(const Table& table) {
  std::vector<std::string> out;
  for (const Cell& cell : table.cells) out.emplace_back(table.text_of(cell));
  return out;
}

TEST(Csv, ReadsFieldsAsRfc4180Has) {
  const auto table = read_csv(
      "\xEF\xBB\xBF"
      "a,b\r\n1, x \r\n\"2,\"\"3\"\"\n4\",\r\n\r\n,\"\"");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_THAT(table->columns, ElementsAre("a", "b"));
  EXPECT_EQ(table->rows(), 3U);
  EXPECT_TRUE(table->untyped);
  EXPECT_THAT(texts(*table), ElementsAre("1", " x ", "2,\"3\"\n4", "", "", ""));
}

TEST(Csv, IsTheSameHoweverTheBytesCome) {
  const std::string text = "name,n\n\"a\"\"b\",1\nc,2\r\nd,3";
  for (std::size_t step = 1; step < text.size(); ++step) {
    std::vector<std::string> all;
    std::size_t first = 1;
    CsvReader reader(2, [&](const Table& table) -> Result<void> {
      EXPECT_EQ(table.first_row, first);
      EXPECT_THAT(table.columns, ElementsAre("name", "n"));
      first += table.rows();
      for (std::string& value : texts(table)) all.push_back(std::move(value));
      return {};
    });
    for (std::size_t at = 0; at < text.size(); at += step)
      ASSERT_TRUE(reader.feed(std::string_view(text).substr(at, step)));
    ASSERT_TRUE(reader.finish());
    EXPECT_THAT(all, ElementsAre("a\"b", "1", "c", "2", "d", "3")) << step;
  }
}

struct Bad {
  std::string text;
  std::string says;
};

TEST(Csv, RefusesWithTheRow) {
  std::string wide = "a";
  for (std::size_t i = 0; i < 1'000'000; ++i) wide += ",a" + std::to_string(i);
  const std::vector<Bad> all = {
      {"", "The CSV is empty"},
      {"a,b\n", "has a header and no row"},
      {"a,b\n1\n", "Row 1 has 1 fields; the header names 2 columns."},
      {"a,b\n1,2\n1,2,3\n", "Row 2 has 3 fields"},
      {"a,a\n1,2\n", "names column 'a' twice"},
      {"a\n\"open\n", "Row 1, field 1 opens a quote that is never closed."},
      {"a\nx\"y\n", "has a quote in a place where"},
      {"a\n\"x\"y\n", "has a quote in a place where"},
      {std::string("a\nx\0y\n", 6), "Row 1, field 1 holds a NUL byte"},
      {"a\n\xFF\n", "is not UTF-8"},
      {"a\n" + std::string(CsvReader::kMaxField + 2, 'x') + "\n", "is longer than 1048576 bytes"},
      {wide + "\n1\n", "names more than 16384 columns"},
  };
  for (const Bad& bad : all) {
    const auto table = read_csv(bad.text);
    ASSERT_FALSE(table) << bad.says;
    EXPECT_THAT(table.error().message, HasSubstr(bad.says));
  }
}

TEST(Csv, WhatTheTakerRefusesEndsTheReading) {
  std::size_t calls = 0;
  CsvReader reader(1, [&](const Table&) -> Result<void> {
    ++calls;
    return invalid_argument("No more.");
  });
  const auto fed = reader.feed("a\n1\n2\n3\n");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().message, "No more.");
  EXPECT_EQ(calls, 1U);
}

// Bytes changed at random never crash it, and what it takes has whole rows.
TEST(Csv, Mutations) {
  const std::string text = "name,value,\"note\"\n\"a,\"\"b\",1.5,x\r\nc,-2,\"y\nz\"\n";
  std::mt19937 random(7);  // NOLINT: a fixed seed, so that a failure comes again
  for (int i = 0; i < 1000; ++i) {
    std::string changed = text;
    for (int k = 0; k < 1 + i % 3; ++k) changed[random() % changed.size()] = static_cast<char>(random());
    const auto table = read_csv(changed);
    if (!table) continue;
    EXPECT_EQ(table->cells.size() % table->width, 0U);
    EXPECT_EQ(table->columns.size(), table->width);
  }
}

TEST(Csv, WritesFieldsInQuotesWhereNeeded) {
  std::string out;
  append_csv(out, "plain");
  out += '|';
  append_csv(out, "a,\"b\"\n");
  EXPECT_EQ(out, "plain|\"a,\"\"b\"\"\n\"");
}

}  // namespace
}  // namespace bascule::content

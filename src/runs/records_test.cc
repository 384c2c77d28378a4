#include "runs/records.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace bascule::runs {
namespace {

using Lines = std::vector<std::pair<std::uint64_t, std::string>>;

// Fed in pieces of so many bytes.
Lines cut(std::string_view text, bool csv, std::size_t piece) {
  RecordSplitter splitter(csv);
  RecordSplitter::Record record;
  Lines out;
  const auto take = [&] {
    while (splitter.next(record)) out.emplace_back(record.line, record.too_long ? "(too long)" : record.text);
  };
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    splitter.feed(text.substr(0, piece));
    take();
  }
  splitter.finish();
  take();
  return out;
}

TEST(RecordSplitter, CutsLinesWithTheirNumbers) {
  const Lines expected = {{1, "a"}, {3, "b, \"c"}, {4, "d"}};
  for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
    EXPECT_EQ(cut("\xEF\xBB\xBF"
                  "a\r\n \n"
                  "b, \"c\nd",
                  false, piece),
              expected)
        << piece;
  }
}

TEST(RecordSplitter, KeepsLineEndsWithinQuotesOfCsv) {
  const Lines expected = {{1, "a,b"}, {2, "1,\"x\ny\"\"\n\""}, {5, "2,z"}};
  for (const std::size_t piece : {1U, 2U, 5U, 100U}) {
    EXPECT_EQ(cut("a,b\n1,\"x\ny\"\"\n\"\n2,z\n", true, piece), expected) << piece;
  }
}

TEST(RecordSplitter, AQuoteInTheWrongPlaceSwallowsNoOtherLine) {
  const Lines expected = {{1, "5\" disk,1"}, {2, "\"a\"b,\"2\""}, {3, "c,3"}};
  EXPECT_EQ(cut("5\" disk,1\n\"a\"b,\"2\"\nc,3\n", true, 4), expected);
}

TEST(RecordSplitter, TellsOfALineThatIsTooLongAndGoesOn) {
  const std::string text = "a\n" + std::string(RecordSplitter::kMaxRecord + 1, 'x') + "\nb\n";
  const Lines expected = {{1, "a"}, {2, "(too long)"}, {3, "b"}};
  for (const bool csv : {false, true}) EXPECT_EQ(cut(text, csv, 70'000), expected) << csv;
}

TEST(RecordSplitter, AQuoteThatNobodyClosesEndsWithTheLimit) {
  const std::string text = "\"open\n" + std::string(RecordSplitter::kMaxRecord + 70'000, 'x') + "\nb\n";
  const Lines expected = {{1, "(too long)"}, {3, "b"}};
  EXPECT_EQ(cut(text, true, 65'536), expected);
}

TEST(RecordSplitter, NothingIsNoRecord) {
  EXPECT_TRUE(cut("", false, 1).empty());
  EXPECT_TRUE(cut("\n\r\n \t\n", true, 1).empty());
  EXPECT_TRUE(cut("\xEF\xBB\xBF", false, 1).empty());
}

}  // namespace
}  // namespace bascule::runs

#include "base/text.h"

#include <array>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace bascule::text {
namespace {

using namespace std::string_literals;

TEST(EscapeControls, KeepsOneLineOneLine) {
  EXPECT_EQ(escape_controls("a\nb\rc\td"), "a\\nb\\x0dc\\x09d");
  EXPECT_EQ(escape_controls("nul\0end"s), "nul\\x00end");
  EXPECT_EQ(escape_controls("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f");
}

TEST(EscapeControls, EscapesTheControlsOfTheSecondBlockToo) {
  // U+0085 is "next line", U+009B starts a terminal's control sequence.
  EXPECT_EQ(escape_controls("a\xC2\x85z"), "a\\xc2\\x85z");
  EXPECT_EQ(escape_controls("\xC2\x9B"
                            "31m"),
            "\\xc2\\x9b31m");
  EXPECT_EQ(escape_controls("\xC2\xA0"), "\xC2\xA0");
}

TEST(EscapeControls, KeepsValidUtf8AndEscapesTheRest) {
  EXPECT_EQ(escape_controls("Ära 中 😀"), "Ära 中 😀");
  EXPECT_EQ(escape_controls("\xFFx"), "\\xffx");
  EXPECT_EQ(escape_controls("\xC0\xAF"), "\\xc0\\xaf");                         // overlong '/'
  EXPECT_EQ(escape_controls("\xED\xA0\x80"), "\\xed\\xa0\\x80");                // a surrogate
  EXPECT_EQ(escape_controls("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");       // beyond U+10FFFF
  EXPECT_EQ(escape_controls("cut \xE4\xB8"), "cut \\xe4\\xb8");                 // ends within a sequence
  EXPECT_EQ(escape_controls("\xF0\x9F\x98" + "b"s), "\\xf0\\x9f\\x98" + "b"s);  // broken by a letter
}

TEST(JsonQuoted, FollowsRfc8259) {
  EXPECT_EQ(json_quoted(""), "\"\"");
  EXPECT_EQ(json_quoted("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
  EXPECT_EQ(json_quoted("\b\f\n\r\t\x01\x1f"), "\"\\u0008\\u000c\\n\\r\\t\\u0001\\u001f\"");
  EXPECT_EQ(json_quoted("a\0b"s), "\"a\\u0000b\"");
  EXPECT_EQ(json_quoted("Ära 😀"), "\"Ära 😀\"");
}

TEST(JsonQuoted, ReplacesInvalidUtf8) {
  EXPECT_EQ(json_quoted("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
  EXPECT_EQ(json_quoted("\xE4\xB8"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(JsonQuoted, AppendsToWhatIsThere) {
  std::string out = "x:";
  append_json_quoted(out, "y");
  EXPECT_EQ(out, "x:\"y\"");
}

TEST(HumanBytes, UsesDecimalUnitsAndRoundsAcrossThem) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(2'440'000), "2.4 MB");
  EXPECT_EQ(human_bytes(999'949), "999.9 kB");
  EXPECT_EQ(human_bytes(999'951), "1.0 MB");
  EXPECT_EQ(human_bytes(UINT64_MAX), "18446744.1 TB");
}

TEST(Shortened, CutsBetweenCharacters) {
  EXPECT_EQ(shortened("short"), "short");
  EXPECT_EQ(shortened("abcdef", 3), "abc…");
  EXPECT_EQ(shortened("aäb", 2), "a…");  // 'ä' has two bytes
  EXPECT_EQ(shortened(std::string(1000, 'x')).size(), 80 + std::string("…").size());
}

TEST(Nearest, KnowsASlipOfTheKeyboard) {
  const std::array<std::string, 3> keys = {"host", "http-port", "log-level"};
  EXPECT_EQ(nearest("hots", keys), "host");
  EXPECT_EQ(nearest("http_port", keys), "http-port");
  EXPECT_EQ(nearest("loglevel", keys), "log-level");
  EXPECT_EQ(nearest("something-else", keys), std::nullopt);
  EXPECT_EQ(nearest("host", {}), std::nullopt);
}

TEST(Trimmed, RemovesWhiteSpaceAtBothEnds) {
  EXPECT_EQ(trimmed(" \t a b \r\n"), "a b");
  EXPECT_EQ(trimmed(" \n "), "");
  EXPECT_EQ(trimmed(""), "");
}

TEST(EqualsIgnoringCase, OnlyAsciiLettersAreAlike) {
  EXPECT_TRUE(equals_ignoring_case("Content-Type", "content-TYPE"));
  EXPECT_FALSE(equals_ignoring_case("Ä", "ä"));
  EXPECT_FALSE(equals_ignoring_case("host", "hosts"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
}

TEST(ToLower, LeavesBytesBeyondAsciiAlone) { EXPECT_EQ(to_lower("AbZ-Ä9"), "abz-Ä9"); }

TEST(ParseInt, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(parse_int("0"), 0);
  EXPECT_EQ(parse_int("-17"), -17);
  EXPECT_EQ(parse_int("9223372036854775807"), INT64_MAX);
  for (const char* text : {"", " 1", "1 ", "+1", "1.0", "0x10", "1e3", "--1", "-", "9223372036854775808",
                           "-9223372036854775809"}) {
    EXPECT_EQ(parse_int(text), std::nullopt) << text;
  }
}

TEST(ParseDouble, IsFiniteAndKnowsNoLocale) {
  EXPECT_EQ(parse_double("0.25"), 0.25);
  EXPECT_EQ(parse_double("-1e-3"), -0.001);
  for (const char* text : {"", " 1", "1,5", "+1", "nan", "inf", "-infinity", "1e999", "0x1p3", "1.5x"}) {
    EXPECT_EQ(parse_double(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace bascule::text

#include "protocol/json.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "protocol/json_reader.h"

namespace bascule::protocol {
namespace {

using testing::HasSubstr;

template <class T>
std::string number(T value, NonFinite non_finite = NonFinite::kName) {
  std::string out;
  append_number(out, value, non_finite);
  return out;
}

std::string rounded(double value, int decimals) {
  std::string out;
  append_rounded(out, value, decimals);
  return out;
}

TEST(AppendNumber, WritesTheShortestTextThatReadsBack) {
  EXPECT_EQ(number(0.1F), "0.1");
  EXPECT_EQ(number(16777216.0F), "16777216");
  EXPECT_EQ(number(1e-45F), "1e-45");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(-0.0F), "-0.0");
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtof(number(value).c_str(), nullptr), value);
  }
}

TEST(AppendNumber, WritesWholeNumbersAsTheStandardLibraryDoes) {
  const auto expected = [](auto value) {
    std::array<char, 64> text;
    return std::string(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
  };
  for (int i = 1; i <= 200'000; i += i < 2000 ? 1 : 333) {
    for (const int whole : {i, -i}) {
      ASSERT_EQ(number(static_cast<float>(whole)), expected(static_cast<float>(whole)));
      ASSERT_EQ(number(static_cast<double>(whole)), expected(static_cast<double>(whole)));
    }
  }
  EXPECT_EQ(number(0.0F), "0");
  EXPECT_EQ(number(99'999.0), "99999");
  EXPECT_EQ(number(100'000.0), "1e+05");
}

TEST(AppendNumber, NamesWhatJsonDoesNotKnow) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(number(std::nanf("")), "NaN");
  EXPECT_EQ(number(kInf), "Infinity");
  EXPECT_EQ(number(-kInf), "-Infinity");
  EXPECT_EQ(number(-kInf, NonFinite::kNull), "null");
  EXPECT_EQ(rounded(std::nan(""), 3), "null");
}

// Each right side is what Python 3.11 prints for round(value, decimals).
TEST(AppendRounded, PrintsAsPythonDoes) {
  struct Case {
    double value;
    int decimals;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {0.93999, 2, "0.94"},
      {670.1, 5, "670.1"},
      {3.0, 5, "3.0"},
      {3.4, 0, "3.0"},
      {0.5, 0, "0.0"},
      {1.5, 0, "2.0"},
      {2.5, 0, "2.0"},
      {-0.4, 0, "-0.0"},
      {2.675, 2, "2.67"},
      {0.125, 2, "0.12"},
      {0.375, 2, "0.38"},
      {1e-5, 5, "1e-05"},
      {0.0001, 5, "0.0001"},
      {100000.0, 3, "100000.0"},
      {123456789012345680.0, 2, "1.2345678901234568e+17"},
      {1e16, 2, "1e+16"},
      {9999999999999998.0, 2, "9999999999999998.0"},
      {static_cast<double>(995.8894F), 3, "995.889"},
      {static_cast<double>(0.0725F), 3, "0.072"},
      {static_cast<double>(0.1F), 10, "0.1000000015"},
      {1.7976931348623157e308, 5, "1.7976931348623157e+308"},
      {5e-324, 5, "0.0"},
  };
  for (const Case& c : cases) EXPECT_EQ(rounded(c.value, c.decimals), c.expected) << c.value;
}

// Walks a whole text; true where it is one JSON value and nothing else.
Result<void> walk(std::string_view text) {
  BASCULE_TRY(check_utf8(text, "The text"));
  JsonReader json(text, "The text");
  if (!json.skip_value() || !json.finish()) return json.error();
  return {};
}

TEST(JsonReader, RefusesWithTheByte) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"a":1)", "byte 6"},         {R"([1 2])", "byte 3"},
      {R"([1,])", "byte 3"},           {R"({"a":1,})", "byte 7"},
      {R"({"a" 1})", "byte 5"},        {R"({a:1})", "byte 1"},
      {R"(["\x"])", "unknown escape"}, {R"(["\ud800"])", "pair"},
      {R"(["\udc00"])", "pair"},       {R"(["\u12g4"])", "four hexa"},
      {"[\"a\nb\"]", "control"},       {R"([01])", "begin with 0"},
      {R"([1.])", "a digit"},          {R"([-])", "a digit"},
      {R"([1e])", "a digit"},          {R"([+1])", "byte 1"},
      {R"([.5])", "byte 1"},           {R"([tru])", "byte 1"},
      {R"([1]])", "follows the end"},  {"", "ends where"},
      {"[\"a", "does not end"},        {std::string("[]\0", 3), "follows the end"},
      {"[\"\xC3(\"]", "not valid"},    {"\xEF\xBB\xBF[]", "byte"}};
  for (const auto& [text, says] : cases) {
    const auto result = walk(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().reason, Reason::kJsonSyntax) << text;
    EXPECT_THAT(result.error().message, HasSubstr(says)) << text;
  }
}

TEST(JsonReader, CountsDepthAndSurvivesAnyOfIt) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(walk(nested(kMaxJsonDepth)));
  const auto deep = walk(nested(kMaxJsonDepth + 1));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().reason, Reason::kJsonDepth);
  EXPECT_EQ(deep.error().fields.limit, "100");
  EXPECT_FALSE(walk(std::string(1'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += R"({"a":)";
  EXPECT_FALSE(walk(objects));
}

TEST(JsonReader, ReadsNumbersToTheNearestDouble) {
  const auto read = [](std::string_view text) {
    JsonReader json(text, "The text");
    double value = -1;
    std::string_view token;
    EXPECT_TRUE(json.read_double(value, token) && json.finish()) << json.error().message;
    return value;
  };
  for (const char* text :
       {"0", "-0", "0.1", "1e22", "1e23", "123456789012345678", "0.30000000000000004", "4.9e-324", "2.5e-324",
        "1.7976931348623157e308", "9007199254740993", "0.000000000000000000000000000001", "123456.789e-3",
        "100000000000000000000000000000000000000000.5", "1e-9999999999999999999999", "0e99999999999999999999",
        "1.00000000000000000000000000000000000000000000000000000000000000000000000000001"}) {
    EXPECT_EQ(read(text), std::strtod(text, nullptr)) << text;
  }
  EXPECT_TRUE(std::signbit(read("-0")));
  EXPECT_TRUE(std::isinf(read("1e309")));
  EXPECT_TRUE(std::isinf(read("-1e99999999999999999999999")));
  std::mt19937_64 random(11);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = number(value);
    ASSERT_EQ(read(text), value) << text;
  }
}

TEST(JsonReader, GoesBackToAMark) {
  JsonReader json(R"([[1,2],"a\nb",true])", "The text");
  bool more = false;
  ASSERT_TRUE(json.begin_array() && json.next_element(more) && more);
  const JsonReader::Mark mark = json.mark();
  ASSERT_TRUE(json.skip_value());
  json.go_to(mark);
  ASSERT_TRUE(json.skip_value() && json.next_element(more) && more);
  std::string_view text;
  ASSERT_TRUE(json.read_string(text));
  EXPECT_EQ(text, "a\nb");
  bool flag = false;
  ASSERT_TRUE(json.next_element(more) && json.read_bool(flag) && json.next_element(more) && json.finish());
  EXPECT_TRUE(flag);
  EXPECT_FALSE(more);
}

// Seeds that hold every kind of token; mutations of them are what both readers must agree on.
const std::vector<std::string>& seeds() {
  static const std::vector<std::string> kSeeds = {
      R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.5,-2e3]}],"id":"a"})",
      R"([true,false,null,0,-0.5,1e5,1E-2,"","\u00e9\n\\\"",{},[],{"a":{"b":[[]]}}])",
      R"("lone \ud83d\ude00 string")",
      "  [ 1 , 2 ]\r\n\t",
      "-12.5e+3",
      "{\"\xC3\xA9\":\"\xE2\x82\xAC\"}"};
  return kSeeds;
}

std::string mutated(std::mt19937& random) {
  static constexpr std::string_view kBytes =
      "{}[],:\"\\/0123456789-+.eEtruefalsn udDU\x01\x1f\x7f\x80\xC3\xFF \n";
  std::string text = seeds()[random() % seeds().size()];
  const std::size_t changes = 1 + random() % 3;
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = text.empty() ? 0 : random() % text.size();
    const char byte = kBytes[random() % kBytes.size()];
    switch (random() % 4) {
      case 0: text.insert(at, 1, byte); break;
      case 1:
        if (!text.empty()) text.erase(at, 1 + random() % 3);
        break;
      case 2:
        if (!text.empty()) text[at] = byte;
        break;
      default: text.insert(at, text.substr(at, 1 + random() % 6));
    }
  }
  return text;
}

// Known differences, none of which the mutations make or count: the other reader refuses numbers beyond the
// range of a double (ours are refused where a value is taken), ends a text at a NUL byte, skips a byte order
// mark, and knows no limit of depth.
TEST(JsonReader, AgreesWithAnotherReaderOnMutations) {
  std::mt19937 random(20260101);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = mutated(random);
    const bool ours = walk(text).has_value();
    bool theirs = true;
    try {
      [[maybe_unused]] const auto document = nlohmann::json::parse(text);
    } catch (const nlohmann::json::out_of_range&) {
      theirs = ours;  // a number beyond doubles
    } catch (const nlohmann::json::exception&) {
      theirs = false;
    }
    ASSERT_EQ(ours, theirs) << "mutation " << i << ": " << text;
    accepted += ours ? 1 : 0;
  }
  // The comparison means something only where both answers are common.
  EXPECT_GT(accepted, 1000);
  EXPECT_LT(accepted, 19000);
}

TEST(JsonReader, RefusesEveryProperPrefix) {
  for (const std::string& seed : seeds()) {
    if (seed[0] != '{' && seed[0] != '[') continue;
    for (std::size_t length = 0; length < seed.size(); ++length) {
      EXPECT_FALSE(walk(std::string_view(seed).substr(0, length))) << length;
    }
    EXPECT_TRUE(walk(seed));
  }
}

}  // namespace
}  // namespace bascule::protocol

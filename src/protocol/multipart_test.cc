#include "protocol/multipart.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "protocol/percent.h"

namespace bascule::protocol {
namespace {

using testing::HasSubstr;

Result<std::vector<Part>> parse(std::string_view body, std::string_view boundary = "B") {
  return parse_multipart(std::as_bytes(std::span(body)), boundary);
}

std::string text_of(const Part& part) {
  return {reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size()};
}

const std::string kTwoParts =
    "--B\r\nContent-Disposition: form-data; name=\"conf\"\r\n\r\n0.5\r\n"
    "--B\r\ncontent-disposition:form-data;name=file;filename=\"a \\\"b\\\".jpg\"\r\nContent-Type: "
    "image/jpeg\r\n"
    "\r\n\xFF\xD8\r\n--Bx\r\n\r\n--B--\r\nepilogue";

TEST(Multipart, SplitsFieldsAndFiles) {
  const auto parts = parse(kTwoParts);
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_EQ(parts->size(), 2U);
  EXPECT_EQ((*parts)[0].name, "conf");
  EXPECT_EQ(text_of((*parts)[0]), "0.5");
  EXPECT_EQ((*parts)[0].file_name, "");
  EXPECT_EQ((*parts)[1].name, "file");
  EXPECT_EQ((*parts)[1].file_name, "a \"b\".jpg");
  EXPECT_EQ((*parts)[1].content_type, "image/jpeg");
  EXPECT_EQ(text_of((*parts)[1]), "\xFF\xD8\r\n--Bx\r\n");  // a longer word is no delimiter
}

TEST(Multipart, TakesPreamblesPaddingAndEmptyParts) {
  const auto parts = parse(
      "hello\r\n--B \t\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--B\r\nContent-Disposition: "
      "form-data; name=b; filename=x; filename*=UTF-8''%C3%A9.png\r\n\r\n--B--");
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_EQ(parts->size(), 2U);
  EXPECT_EQ(text_of((*parts)[0]), "");
  EXPECT_EQ(text_of((*parts)[1]), "");
  EXPECT_EQ((*parts)[1].file_name, "\xC3\xA9.png");
}

TEST(Multipart, RefusesWhatIsBroken) {
  const std::string head = "--B\r\nContent-Disposition: form-data; name=a\r\n";
  std::string many;
  for (std::size_t i = 0; i <= kMaxParts; ++i) many += head + "\r\nx\r\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "ends before"},
      {"no boundary at all", "ends before"},
      {head + "\r\nabc", "ends before its closing boundary"},
      {head, "inside the head of part 1"},
      {head + "X: " + std::string(kMaxPartHead, 'x') + "\r\n\r\n\r\n--B--", "8192 bytes"},
      {head + std::string(5000, 'x') + ":\r\n" + std::string(5000, 'x') + ":\r\n\r\n\r\n--B--", "8192 bytes"},
      {many + "--B--", "more than 64 parts"},
      {"--B\r\nContent-Type: text/plain\r\n\r\nx\r\n--B--", "has no name"},
      {"--B\r\nno colon\r\n\r\nx\r\n--B--", "without a colon"},
      {head + "Content-Transfer-Encoding: base64\r\n\r\nx\r\n--B--", "'base64'"},
  };
  for (const auto& [body, says] : cases) {
    const auto parts = parse(body);
    ASSERT_FALSE(parts) << says;
    EXPECT_EQ(parts.error().code, Code::kInvalidArgument);
    EXPECT_THAT(parts.error().message, HasSubstr(says));
  }
}

TEST(Multipart, ReadsTheBoundaryOfAContentType) {
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc").value(), "abc");
  EXPECT_EQ(multipart_boundary("multipart/form-data;charset=x; BOUNDARY=\"a b:c\" ; y=z").value(), "a b:c");
  EXPECT_EQ(multipart_boundary("m; boundary=" + std::string(70, 'x')).value().size(), 70U);
  for (const char* bad : {"multipart/form-data", "multipart/form-data; boundary=", "m; boundary=\"a\\\"b\"",
                          "m; boundary=\"a ", "m; boundary=\"a \"", "m; boundary", "m; boundary=\xC3\xA9"}) {
    EXPECT_FALSE(multipart_boundary(bad)) << bad;
  }
  const auto huge = multipart_boundary("multipart/form-data; boundary=" + std::string(102400, 'x'));
  ASSERT_FALSE(huge);
  EXPECT_THAT(huge.error().message, HasSubstr("102400"));
  EXPECT_THAT(huge.error().message, HasSubstr("70"));
}

TEST(Multipart, RefusesEveryProperPrefix) {
  const std::size_t end = kTwoParts.size() - std::string_view("\r\nepilogue").size();
  for (std::size_t length = 0; length < end; ++length) {
    EXPECT_FALSE(parse(std::string_view(kTwoParts).substr(0, length))) << length;
  }
  EXPECT_TRUE(parse(std::string_view(kTwoParts).substr(0, end)));
}

TEST(Multipart, SurvivesMutations) {
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    std::string body = kTwoParts;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      const std::size_t at = random() % body.size();
      if (random() % 2 == 0) {
        body[at] = "\r\n-B:;=\"\\ x"[random() % 11];
      } else {
        body.erase(at, 1 + random() % 5);
      }
    }
    const auto parts = parse(body);
    if (!parts) continue;
    for (const Part& part : *parts) {  // every part lies in the body
      const auto* start = reinterpret_cast<const char*>(part.bytes.data());
      ASSERT_TRUE(start >= body.data() && start + part.bytes.size() <= body.data() + body.size());
    }
  }
}

// Near-delimiters of every kind must cost what any other bytes cost: eight times the body takes about eight
// times as long, where a quadratic reader would take sixty-four times. The best of some tries, and a wide
// limit, keep a busy machine from deciding.
TEST(Multipart, TakesTimeInProportionToTheBody) {
  const ThreadTimeClock clock;  // this thread's own time, however busy the machine is
  const std::string boundary(70, 'b');
  for (const std::string& near :
       {"\r\n--" + boundary.substr(1), "\r\n--" + boundary + "x", "\r\n--" + boundary + "  ",
        std::string("\r\n--b"), std::string("\r\n-"), std::string("\r")}) {
    const auto time_of = [&](std::size_t size) {
      std::string body;
      body.reserve(size + 256);
      while (body.size() < size) body += near;
      double best = 1e9;
      for (int i = 0; i < 3; ++i) {
        const TimePoint start = clock.now();
        EXPECT_FALSE(parse(body, boundary));
        best = std::min(best, to_seconds(clock.now() - start));
      }
      return best;
    };
    const double small = time_of(std::size_t{1} << 18U);
    const double large = time_of(std::size_t{1} << 21U);
    EXPECT_LT(large, 32 * std::max(small, 1e-4)) << near.substr(0, 8);
  }
}

TEST(Percent, DecodesQueryStrings) {
  EXPECT_EQ(percent_decoded("a%20b+c%zz%4", true), "a b c%zz%4");
  EXPECT_EQ(percent_decoded("a+b%2B", false), "a+b+");
  const auto pairs = parse_query("conf=0.5&&imgsz=%5B480%2C640%5D&flag&=x");
  ASSERT_TRUE(pairs);
  ASSERT_EQ(pairs->size(), 4U);
  EXPECT_EQ((*pairs)[1], (std::pair<std::string, std::string>("imgsz", "[480,640]")));
  EXPECT_EQ((*pairs)[2], (std::pair<std::string, std::string>("flag", "")));
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a=b&";
  EXPECT_FALSE(parse_query(many));
}

}  // namespace
}  // namespace bascule::protocol

#include "base/log.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace bascule::log {
namespace {

// What `body` logs under `options`.
template <class F>
std::string logged(const Options& options, F body) {
  configure(options);
  testing::internal::CaptureStderr();
  body();
  std::string out = testing::internal::GetCapturedStderr();
  configure({});
  return out;
}

TEST(Log, TextIsOneLineWithTimeAndLevel) {
  const std::string line = logged({}, [] { warning("{} of {}", 1, "two"); });
  EXPECT_TRUE(line.ends_with(" warning 1 of two\n")) << line;
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
}

TEST(Log, NothingFromOutsideForgesASecondLine) {
  const std::string line =
      logged({}, [] { info("model '{}'", "x'\n2030-01-01 00:00:00.000 error forged\r\x1b[2J"); });
  EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
  EXPECT_EQ(line.find('\r'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find("\\n2030-01-01"), std::string::npos);
}

TEST(Log, JsonStaysOneObjectWhateverTheMessageHolds) {
  const std::string line =
      logged({.format = Format::kJson}, [] { error("{}", "a\"},{\"b\":\"\n\xFF %v {}"); });
  EXPECT_TRUE(line.starts_with("{\"time\":\"2")) << line;
  EXPECT_TRUE(
      line.ends_with(",\"level\":\"error\",\"message\":\"a\\\"},{\\\"b\\\":\\\"\\n\xEF\xBF\xBD %v {}\"}\n"))
      << line;
}

TEST(Log, IsSilentBelowItsLevel) {
  EXPECT_EQ(logged({.level = Level::kWarning}, [] { info("quiet"); }), "");
  EXPECT_EQ(logged({.level = Level::kOff}, [] { error("quiet"); }), "");
  EXPECT_NE(logged({.level = Level::kDebug}, [] { debug("loud"); }).find("debug loud"), std::string::npos);
}

TEST(Log, ReadsItsLevels) {
  EXPECT_EQ(parse_level("debug").value(), Level::kDebug);
  EXPECT_EQ(parse_level("off").value(), Level::kOff);
  const auto refused = parse_level("loud");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "'loud' is no log level; use debug, info, warning, error or off.");
}

}  // namespace
}  // namespace bascule::log

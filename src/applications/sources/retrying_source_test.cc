#include "applications/sources/retrying_source.h"

#include <deque>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

using testing::ElementsAre;

const Stop kNever = [] { return false; };

Error down(std::string message) { return {.code = Code::kUnavailable, .message = std::move(message)}; }

// Gives so many frames, then an error or the end.
// Thread-safety: as Source.
class ShortSource final : public Source {
 public:
  ShortSource(std::uint64_t after, int frames, bool ends) : number_(after), left_(frames), ends_(ends) {}
  Result<std::optional<Frame>> next(const Stop& /*stop*/) override {
    if (left_-- > 0) {
      ++state_.frames;
      return std::optional(Frame{.picture = {}, .source = "s", .number = ++number_});
    }
    if (ends_) return std::optional<Frame>();
    return down("It broke.");
  }
  [[nodiscard]] SourceState state() const override { return state_; }
  [[nodiscard]] bool live() const override { return true; }

 private:
  std::uint64_t number_;
  int left_;
  bool ends_;
  SourceState state_;
};

class RetryingSourceTest : public testing::Test {
 protected:
  RetryingOptions options(bool endless) {
    return {.source = "cam",
            .live = true,
            .endless = endless,
            .after = 10,
            .back_off = {.first = std::chrono::milliseconds(1), .longest = std::chrono::milliseconds(2)}};
  }
  SteadyClock clock_;
  std::vector<std::uint64_t> opened_;  // behind which frames
};

TEST_F(RetryingSourceTest, OpensAgainAndNumbersOn) {
  RetryingSource source(
      options(true),
      [&](std::uint64_t after) -> Result<std::unique_ptr<Source>> {
        opened_.push_back(after);
        if (opened_.size() == 2) return down("Nobody answers.");
        return std::unique_ptr<Source>(std::make_unique<ShortSource>(after, 2, opened_.size() % 2 == 0));
      },
      clock_);
  for (std::uint64_t i = 11; i <= 16; ++i) {
    const auto frame = source.next(kNever);
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->number, i);
    EXPECT_EQ(source.state().status, SourceStatus::kRunning);
  }
  EXPECT_THAT(opened_, ElementsAre(10, 12, 12, 14));
  EXPECT_EQ(source.state().reconnects, 3U);
  EXPECT_EQ(source.state().frames, 6U);
}

TEST_F(RetryingSourceTest, SaysThatItWaits) {
  RetryingSource source(
      options(true),
      [&](std::uint64_t after) -> Result<std::unique_ptr<Source>> {
        opened_.push_back(after);
        return down("Nobody answers.");
      },
      clock_);
  EXPECT_EQ(source.next([&] { return opened_.size() >= 4; }).error().code, Code::kCancelled);
  EXPECT_EQ(source.state().status, SourceStatus::kWaiting);
  EXPECT_EQ(source.state().error, "Nobody answers.");
  EXPECT_EQ(source.state().reconnects, 3U);
}

TEST_F(RetryingSourceTest, EndsWithASourceThatMayEnd) {
  RetryingSource source(
      options(false),
      [&](std::uint64_t after) -> Result<std::unique_ptr<Source>> {
        return std::unique_ptr<Source>(std::make_unique<ShortSource>(after, 1, true));
      },
      clock_);
  EXPECT_TRUE(*source.next(kNever));
  const auto end = source.next(kNever);
  EXPECT_TRUE(end && !*end);
}

}  // namespace
}  // namespace bascule::applications

#include "base/result.h"

#include <memory>
#include <set>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "base/check.h"

namespace bascule {
namespace {

Result<int> halved(int value) {
  if (value % 2 != 0) return invalid_argument("odd", Reason::kValueOutOfRange);
  return value / 2;
}

Result<void> must_be_even(int value) {
  BASCULE_TRY(halved(value));
  return {};
}

Result<std::string> quartered(int value) {
  BASCULE_TRY(must_be_even(value));
  BASCULE_ASSIGN(const int half, halved(value));
  BASCULE_ASSIGN(const int quarter, halved(half));
  return std::to_string(quarter);
}

TEST(Result, HoldsAValueOrTheError) {
  EXPECT_EQ(halved(4).value(), 2);
  const Result<int> failed = halved(3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kInvalidArgument);
  EXPECT_EQ(failed.error().reason, Reason::kValueOutOfRange);
}

TEST(Result, MacrosHandOnValuesAndErrorsUnchanged) {
  EXPECT_EQ(quartered(12).value(), "3");
  EXPECT_EQ(quartered(7).error().message, "odd");
  EXPECT_EQ(quartered(6).error().reason, Reason::kValueOutOfRange);
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const auto use = [&]() -> Result<int> {
    BASCULE_ASSIGN(const std::unique_ptr<int> owned, make());
    return *owned;
  };
  EXPECT_EQ(use().value(), 7);
}

TEST(Error, EveryCodeAndReasonHasANameOfItsOwn) {
  std::set<std::string_view> codes;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) codes.insert(to_string(static_cast<Code>(i)));
  EXPECT_EQ(codes.size(), static_cast<std::size_t>(Code::kInternal) + 1);
  std::set<std::string_view> reasons;
  for (int i = 0; i <= static_cast<int>(Reason::kUnknownRoute); ++i) {
    reasons.insert(to_string(static_cast<Reason>(i)));
  }
  EXPECT_EQ(reasons.size(), static_cast<std::size_t>(Reason::kUnknownRoute) + 1);
}

TEST(CheckDeathTest, ABrokenInvariantAbortsAndNamesItself) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  BASCULE_CHECK(1 + 1 == 2);
  EXPECT_DEATH(BASCULE_CHECK(1 + 1 == 3), "result_test.cc:[0-9]+: broken invariant: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace bascule

#include "applications/checkout/money.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bascule::applications::checkout {
namespace {

TEST(Money, ReadsDecimalsExactly) {
  EXPECT_EQ(parse_decimal("12")->digits, 12);
  EXPECT_EQ(parse_decimal("0.1250")->digits, 1250);
  EXPECT_EQ(parse_decimal("0.1250")->scale, 4);
  EXPECT_EQ(parse_decimal("-3.5")->digits, -35);
  for (const char* bad :
       {"", "-", ".", ".5", "5.", "1e3", "1,5", "1.2.3", " 1", "+1", "1234567890123456", "0.0000000001"}) {
    EXPECT_FALSE(parse_decimal(bad)) << bad;
  }
}

TEST(Money, HasTheDigitsOfItsCurrency) {
  EXPECT_EQ(currency_of("EUR")->digits, 2);
  EXPECT_EQ(currency_of("JPY")->digits, 0);
  EXPECT_EQ(currency_of("KWD")->digits, 3);
  EXPECT_FALSE(currency_of("eur"));
  EXPECT_FALSE(currency_of("EURO"));
  EXPECT_EQ(*money_of(*parse_decimal("1.5"), *currency_of("EUR")), 150);
  EXPECT_EQ(*money_of(*parse_decimal("1.500"), *currency_of("EUR")), 150);
  EXPECT_EQ(*money_of(*parse_decimal("1500"), *currency_of("JPY")), 1500);
  const auto fine = money_of(*parse_decimal("1.505"), *currency_of("EUR"));
  ASSERT_FALSE(fine);
  EXPECT_EQ(fine.error().message, "EUR has 2 digits behind the point, the amount has 3.");
  EXPECT_FALSE(money_of(*parse_decimal("1.5"), *currency_of("JPY")));
  EXPECT_FALSE(money_of(*parse_decimal("100000000000000"), *currency_of("EUR")));
}

TEST(Money, IsWrittenWithAllItsDigits) {
  EXPECT_EQ(money_text(1230, {.code = "EUR", .digits = 2}), "12.30");
  EXPECT_EQ(money_text(-5, {.code = "EUR", .digits = 2}), "-0.05");
  EXPECT_EQ(money_text(1200, {.code = "JPY", .digits = 0}), "1200");
  EXPECT_EQ(money_text(1, {.code = "KWD", .digits = 3}), "0.001");
}

struct RoundingCase {
  Money amount;
  std::int64_t numerator;
  std::int64_t denominator;
  Money half_up, half_even, down;
};

TEST(Money, IsRoundedOnceByItsRule) {
  const std::vector<RoundingCase> cases = {
      {.amount = 1, .numerator = 1, .denominator = 2, .half_up = 1, .half_even = 0, .down = 0},
      {.amount = 3, .numerator = 1, .denominator = 2, .half_up = 2, .half_even = 2, .down = 1},
      {.amount = -1, .numerator = 1, .denominator = 2, .half_up = -1, .half_even = 0, .down = 0},
      {.amount = -3, .numerator = 1, .denominator = 2, .half_up = -2, .half_even = -2, .down = -1},
      {.amount = 299,
       .numerator = 1250,
       .denominator = 1000,
       .half_up = 374,
       .half_even = 374,
       .down = 373},  // 373.75
      {.amount = 250,
       .numerator = 1250,
       .denominator = 1000,
       .half_up = 313,
       .half_even = 312,
       .down = 312},  // 312.5
      {.amount = 7, .numerator = 1, .denominator = 3, .half_up = 2, .half_even = 2, .down = 2},
      {.amount = kMostMoney,
       .numerator = 1'000'000'000'000'000,
       .denominator = 1'000'000'000'000'000,
       .half_up = kMostMoney,
       .half_even = kMostMoney,
       .down = kMostMoney},
  };
  for (const RoundingCase& c : cases) {
    EXPECT_EQ(scaled(c.amount, c.numerator, c.denominator, Rounding::kHalfUp), c.half_up) << c.amount;
    EXPECT_EQ(scaled(c.amount, c.numerator, c.denominator, Rounding::kHalfEven), c.half_even) << c.amount;
    EXPECT_EQ(scaled(c.amount, c.numerator, c.denominator, Rounding::kDown), c.down) << c.amount;
  }
}

}  // namespace
}  // namespace bascule::applications::checkout

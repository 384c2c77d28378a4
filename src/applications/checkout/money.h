#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// Amounts of money, exact: whole numbers of a currency's smallest unit, and rounding where a rule is named. A
// decimal library would bring its own contexts and traps for three operations that 128 bits do exactly.
namespace bascule::applications::checkout {

// What becomes of half a smallest unit and of what is finer.
enum class Rounding : std::uint8_t {
  kHalfUp,    // away from zero: 0.5 -> 1, -0.5 -> -1; what most tax offices ask for
  kHalfEven,  // to the even neighbour: 0.5 -> 0, 1.5 -> 2
  kDown,      // towards zero
};

// A currency by its code, with the digits of its smallest unit: EUR 2, JPY 0, KWD 3.
// Thread-safety: immutable value.
struct Currency {
  std::string code = "EUR";
  int digits = 2;  // 0 to 4
};

// ISO 4217's digits of a code of three capital letters: 2 where the standard says nothing else.
// Errors: kInvalidArgument for what is no such code.
Result<Currency> currency_of(std::string_view code);

// Smallest units. Amounts beyond kMostMoney are refused where they come in, so that sums do not overflow.
using Money = std::int64_t;
inline constexpr Money kMostMoney = 1'000'000'000'000;

// A decimal number as it is written, "12", "0.1250", "-3.5": digits, one point, no exponent.
// Thread-safety: immutable value.
struct Decimal {
  std::int64_t digits = 0;  // the number without its point
  int scale = 0;            // digits behind the point, 0 to 9
};

// Nothing for what is no such number, or has more than 15 digits, or more than 9 behind the point.
[[nodiscard]] std::optional<Decimal> parse_decimal(std::string_view text);

// The amount that a decimal number means. Errors: kInvalidArgument for more digits behind the point than the
// currency has, unless they are zeros, and beyond kMostMoney.
Result<Money> money_of(const Decimal& amount, const Currency& currency);

// amount * numerator / denominator, rounded once. Preconditions: denominator > 0; |amount| <= kMostMoney and
// |numerator|, denominator <= 10^15.
[[nodiscard]] Money scaled(Money amount, std::int64_t numerator, std::int64_t denominator, Rounding rounding);

// "12.30", "-0.05", "1200" of a currency without digits.
[[nodiscard]] std::string money_text(Money amount, const Currency& currency);

}  // namespace bascule::applications::checkout

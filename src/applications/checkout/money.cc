#include "applications/checkout/money.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"

namespace bascule::applications::checkout {
namespace {

constexpr int kMostDigits = 15;
constexpr int kMostScale = 9;
__extension__ using Wide = __int128;  // 10^12 times 10^15 fits

// ISO 4217 (2024), currencies in use whose smallest unit is not a hundredth.
constexpr std::array kWhole = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW",
                               "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"};
constexpr std::array kThousandths = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};

std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

}  // namespace

Result<Currency> currency_of(std::string_view code) {
  if (code.size() != 3 || !std::ranges::all_of(code, [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return invalid_argument(fmt::format(
        "'{}' is no currency: give its code of three capital letters, such as EUR.", text::shortened(code)));
  }
  const int digits = std::ranges::find(kWhole, code) != kWhole.end()               ? 0
                     : std::ranges::find(kThousandths, code) != kThousandths.end() ? 3
                                                                                   : 2;
  return Currency{.code = std::string(code), .digits = digits};
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  Decimal out;
  int digits = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point && digits > 0) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9' || ++digits > kMostDigits || (point && ++out.scale > kMostScale))
      return std::nullopt;
    out.digits = out.digits * 10 + (c - '0');
  }
  if (digits == 0 || text.back() == '.') return std::nullopt;
  if (negative) out.digits = -out.digits;
  return out;
}

Result<Money> money_of(const Decimal& amount, const Currency& currency) {
  Decimal rest = amount;
  while (rest.scale > currency.digits && rest.digits % 10 == 0) {
    rest.digits /= 10;
    --rest.scale;
  }
  if (rest.scale > currency.digits) {
    return invalid_argument(fmt::format("{} {} {} behind the point, the amount has {}.", currency.code,
                                        currency.digits == 0 ? "has no" : "has",
                                        currency.digits == 0   ? "digits"
                                        : currency.digits == 1 ? "1 digit"
                                                               : fmt::format("{} digits", currency.digits),
                                        rest.scale));
  }
  const Wide units = static_cast<Wide>(rest.digits) * power_of_ten(currency.digits - rest.scale);
  if (units > kMostMoney || units < -kMostMoney) {
    return invalid_argument(
        fmt::format("The amount is beyond {} {}.", money_text(kMostMoney, currency), currency.code));
  }
  return static_cast<Money>(units);
}

Money scaled(Money amount, std::int64_t numerator, std::int64_t denominator, Rounding rounding) {
  BASCULE_CHECK(denominator > 0);
  const Wide product = static_cast<Wide>(amount) * numerator;
  Wide whole = product / denominator;  // towards zero
  const Wide twice = 2 * (product - whole * denominator);
  const Wide size = twice < 0 ? -twice : twice;
  const bool up = rounding == Rounding::kHalfUp ? size >= denominator
                  : rounding == Rounding::kHalfEven
                      ? size > denominator || (size == denominator && whole % 2 != 0)
                      : false;
  if (up) whole += product < 0 ? -1 : 1;
  return static_cast<Money>(whole);
}

std::string money_text(Money amount, const Currency& currency) {
  const std::int64_t unit = power_of_ten(currency.digits);
  const std::int64_t size = std::abs(amount);
  std::string out = fmt::format("{}{}", amount < 0 ? "-" : "", size / unit);
  if (currency.digits > 0) out += fmt::format(".{:0{}}", size % unit, currency.digits);
  return out;
}

}  // namespace bascule::applications::checkout

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "applications/checkout/money.h"
#include "base/result.h"

namespace bascule::applications::checkout {

// How a till reckons. Thread-safety: immutable value.
struct TillOptions {
  Currency currency;
  Rounding rounding = Rounding::kHalfUp;
  // Tax by group, in hundred-thousandths: 19 % is 19'000. A price list names no other groups.
  std::map<std::string, std::int64_t> taxes;
  bool prices_include_tax = true;
};

inline constexpr std::int64_t kWholeTax = 100'000;  // 100 %

// "19", "7.5", "0": per cent, to hundred-thousandths. Errors: kInvalidArgument below 0 and beyond 100.
Result<std::int64_t> parse_tax(std::string_view per_cent);

enum class Unit : std::uint8_t { kPiece, kKilogram };

// One thing that is sold. Thread-safety: immutable value.
struct Price {
  std::string class_name;  // as the model says it
  std::string name;        // as the receipt says it
  Money price = 0;         // of a piece, or of a kilogram
  Unit unit = Unit::kPiece;
  std::string tax;  // group
};

// What is sold, by class name. Thread-safety: immutable once read.
struct PriceList {
  std::map<std::string, Price, std::less<>> by_class;

  [[nodiscard]] const Price* find(std::string_view class_name) const {
    const auto found = by_class.find(class_name);
    return found == by_class.end() ? nullptr : &found->second;
  }
};

// A CSV text with the columns class, name, price, unit (piece or kg) and tax, in any order. `file_name` is
// for messages. Errors: kInvalidArgument with the row for a column that is missing or not known, a class that
// comes twice, a price that is negative or no amount of the currency, a unit or tax group that is not known.
Result<PriceList> read_price_list(std::string_view csv, const TillOptions& till,
                                  const std::string& file_name);

}  // namespace bascule::applications::checkout

#include "applications/checkout/price_list.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "content/csv.h"
#include "content/rows.h"

namespace bascule::applications::checkout {
namespace {

constexpr std::size_t kMostPrices = 100'000;
constexpr std::size_t kMostText = 200;
enum Column : std::uint8_t { kClass, kName, kPrice, kUnit, kTax };
const std::array<std::string, 5> kColumns = {"class", "name", "price", "unit", "tax"};

// Where each of kColumns stands in the table.
Result<std::array<std::size_t, kColumns.size()>> find_columns(const content::Table& table,
                                                              const std::string& file_name) {
  std::array<std::size_t, kColumns.size()> places{};
  for (const std::string& column : table.columns) {
    if (std::ranges::find(kColumns, column) != kColumns.end()) continue;
    const auto near = text::nearest(column, kColumns);
    return invalid_argument(fmt::format("{}: there is no column '{}' in a price list{} Its columns are {}.",
                                        file_name, text::shortened(column),
                                        near ? fmt::format("; did you mean '{}'?", *near) : ".",
                                        fmt::join(kColumns, ", ")));
  }
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const auto found = std::ranges::find(table.columns, kColumns[i]);
    if (found == table.columns.end()) {
      return invalid_argument(fmt::format("{}: the column '{}' is missing. A price list has {}.", file_name,
                                          kColumns[i], fmt::join(kColumns, ", ")));
    }
    places[i] = static_cast<std::size_t>(found - table.columns.begin());
  }
  return places;
}

// One row's price; the message is without file and row.
Result<Price> price_of(const std::array<std::string_view, kColumns.size()>& cells, const TillOptions& till) {
  for (const Column column : {kClass, kName}) {
    if (cells[column].empty() || cells[column].size() > kMostText) {
      return invalid_argument(
          fmt::format("the {} has {} bytes, of 1 to {}.", kColumns[column], cells[column].size(), kMostText));
    }
  }
  const auto amount = parse_decimal(cells[kPrice]);
  if (!amount || amount->digits < 0) {
    return invalid_argument(fmt::format("the price '{}' is no amount such as 1.99; digits with one point.",
                                        text::shortened(cells[kPrice])));
  }
  BASCULE_ASSIGN(const Money price, money_of(*amount, till.currency));
  if (cells[kUnit] != "piece" && cells[kUnit] != "kg") {
    return invalid_argument(
        fmt::format("the unit '{}' is neither 'piece' nor 'kg'.", text::shortened(cells[kUnit])));
  }
  const std::string tax(cells[kTax]);
  if (!till.taxes.contains(tax)) {
    std::vector<std::string> groups;
    for (const auto& [group, rate] : till.taxes) groups.push_back(group);
    return invalid_argument(fmt::format("the tax group '{}' is not among those of the till: {}.",
                                        text::shortened(tax), fmt::join(groups, ", ")));
  }
  return Price{.class_name = std::string(cells[kClass]),
               .name = std::string(cells[kName]),
               .price = price,
               .unit = cells[kUnit] == "kg" ? Unit::kKilogram : Unit::kPiece,
               .tax = tax};
}

}  // namespace

Result<std::int64_t> parse_tax(std::string_view per_cent) {
  constexpr int kScale = 3;  // 100 % is 100.000
  auto rate = parse_decimal(per_cent);
  if (!rate || rate->digits < 0 || rate->scale > kScale) {
    return invalid_argument(
        fmt::format("'{}' is no tax in per cent, such as 19 or 7.5, with up to {} digits behind the point.",
                    text::shortened(per_cent), kScale));
  }
  for (; rate->scale < kScale && rate->digits <= kWholeTax; ++rate->scale) rate->digits *= 10;
  if (rate->digits > kWholeTax) {
    return invalid_argument(fmt::format("A tax of {} % is beyond 100 %.", text::shortened(per_cent)));
  }
  return rate->digits;
}

Result<PriceList> read_price_list(std::string_view csv, const TillOptions& till,
                                  const std::string& file_name) {
  const auto with_file = [&](const Error& error) {
    return invalid_argument(fmt::format("{}: {}", file_name, error.message));
  };
  const auto table = content::read_csv(csv);
  if (!table) return with_file(table.error());
  BASCULE_ASSIGN(const auto places, find_columns(*table, file_name));
  if (table->rows() > kMostPrices) {
    return invalid_argument(
        fmt::format("{}: {} prices; a list has at most {}.", file_name, table->rows(), kMostPrices));
  }
  PriceList list;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    std::array<std::string_view, kColumns.size()> cells;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      cells[i] = text::trimmed(table->text_of(table->cells[row * table->width + places[i]]));
    }
    auto price = price_of(cells, till);
    if (!price)
      return invalid_argument(fmt::format("{}, row {}: {}", file_name, row + 1, price.error().message));
    const std::string class_name = price->class_name;
    if (!list.by_class.emplace(class_name, *std::move(price)).second) {
      return invalid_argument(
          fmt::format("{}, row {}: the class '{}' has a price already; each is given once.", file_name,
                      row + 1, text::shortened(class_name)));
    }
  }
  return list;
}

}  // namespace bascule::applications::checkout

#include "applications/checkout/basket.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::applications::checkout {
namespace {

constexpr std::int64_t kGramsOfUnit = 1'000;

Error failed(std::string message) {
  return {.code = Code::kFailedPrecondition, .message = std::move(message)};
}
Error exhausted(std::string message) {
  return {.code = Code::kResourceExhausted, .message = std::move(message)};
}

Result<void> check_open(const Basket& basket) {
  if (basket.state == BasketState::kOpen) return {};
  return failed(fmt::format("Basket {} is closed; begin a new one.", basket.number));
}

Result<void> check_grams(std::int64_t grams) {
  if (grams >= 1 && grams <= kMostGrams) return {};
  return invalid_argument(fmt::format("A weight of {} g; it is from 1 to {}.", grams, kMostGrams));
}

Result<void> check_pieces(std::int64_t pieces) {
  if (pieces >= 1 && pieces <= kMostPieces) return {};
  return invalid_argument(fmt::format("{} pieces; a line has from 1 to {}.", pieces, kMostPieces));
}

Money cost(const Line& line, Rounding rounding) {
  if (line.question != Question::kNone) return 0;
  if (line.price.unit == Unit::kPiece) return line.price.price * line.pieces;
  return scaled(line.price.price, line.grams, kGramsOfUnit, rounding);
}

// The line takes the same thing at the same price in.
bool takes(const Line& line, const Line& more) {
  return line.question == Question::kNone && more.question == Question::kNone &&
         line.price.unit == Unit::kPiece && line.price.class_name == more.price.class_name &&
         line.price.price == more.price.price && line.price.tax == more.price.tax &&
         line.price.name == more.price.name;
}

Result<void> add_line(Basket& basket, Line line, Rounding rounding) {
  const auto same = std::ranges::find_if(basket.lines, [&](const Line& one) { return takes(one, line); });
  if (same != basket.lines.end()) {
    BASCULE_TRY(check_pieces(same->pieces + line.pieces));
    same->pieces += line.pieces;
    same->confidence = std::min(same->confidence, line.confidence);
    same->total = cost(*same, rounding);
    return {};
  }
  if (basket.lines.size() >= kMostLines) {
    return exhausted(fmt::format("Basket {} has {} lines, its limit. Close it and begin a new one.",
                                 basket.number, kMostLines));
  }
  line.number = basket.next_line++;
  line.total = cost(line, rounding);
  basket.lines.push_back(std::move(line));
  return {};
}

// What a person said of a thing, as a line.
Result<Line> line_of(const Said& said, const PriceList& prices) {
  const Price* price = prices.find(said.class_name);
  if (price == nullptr) {
    std::vector<std::string> names;
    for (const auto& [name, one] : prices.by_class) names.push_back(name);
    const auto near = text::nearest(said.class_name, names);
    return not_found(fmt::format("The price list has no class '{}'{}", text::shortened(said.class_name),
                                 near ? fmt::format("; did you mean '{}'?", *near) : "."));
  }
  Line line{.price = *price};
  if (price->unit == Unit::kKilogram) {
    if (said.pieces || !said.grams) {
      return invalid_argument(
          fmt::format("'{}' is sold by weight: say grams, not pieces.", price->class_name));
    }
    BASCULE_TRY(check_grams(*said.grams));
    line.grams = *said.grams;
    line.pieces = 1;
    return line;
  }
  if (said.grams) {
    return invalid_argument(
        fmt::format("'{}' is sold by the piece: say pieces, not grams.", price->class_name));
  }
  BASCULE_TRY(check_pieces(said.pieces.value_or(1)));
  line.pieces = said.pieces.value_or(1);
  return line;
}

Result<std::vector<Line>::iterator> find_line(Basket& basket, std::int64_t number) {
  const auto found = std::ranges::find(basket.lines, number, &Line::number);
  if (found == basket.lines.end()) {
    return not_found(fmt::format("Basket {} has no line {}.", basket.number, number));
  }
  return found;
}

// What a frame showed of one class, as a line.
Line seen_line(const std::string& class_name, const PriceList& prices, double confidence, bool sure) {
  const Price* price = prices.find(class_name);
  Line line{
      .price = price != nullptr ? *price : Price{.class_name = class_name, .name = class_name, .tax = ""},
      .pieces = 1,
      .confidence = confidence};
  line.question = price == nullptr ? Question::kUnknown : !sure ? Question::kUnsure : Question::kNone;
  return line;
}

std::string_view question_name(Question question) {
  switch (question) {
    case Question::kUnknown: return "unknown";
    case Question::kUnsure: return "unsure";
    case Question::kWeight: return "weight";
    case Question::kNone: break;
  }
  return "";
}

std::string per_cent(std::int64_t rate) {
  std::string out = fmt::format("{}.{:03}", rate / 1000, rate % 1000);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::string kilograms(std::int64_t grams) {
  return fmt::format("{}.{:03}", grams / kGramsOfUnit, grams % kGramsOfUnit);
}

}  // namespace

Result<void> add_seen(Basket& basket, const std::vector<Seen>& seen, std::optional<std::int64_t> grams,
                      const PriceList& prices, const TillOptions& till, double ask_below) {
  BASCULE_TRY(check_open(basket));
  if (grams) BASCULE_TRY(check_grams(*grams));
  Basket next = basket;       // all of the frame or nothing
  std::vector<Line> weighed;  // one for each class
  for (const Seen& one : seen) {
    Line line = seen_line(one.class_name, prices, one.confidence, one.confidence >= ask_below);
    if (line.question != Question::kNone || line.price.unit == Unit::kPiece) {
      BASCULE_TRY(add_line(next, std::move(line), till.rounding));
      continue;
    }
    const auto same = std::ranges::find_if(
        weighed, [&](const Line& other) { return other.price.class_name == line.price.class_name; });
    if (same == weighed.end()) {
      weighed.push_back(std::move(line));
    } else {
      ++same->pieces;
      same->confidence = std::min(same->confidence, line.confidence);
    }
  }
  for (Line& line : weighed) {
    if (grams && weighed.size() == 1) {
      line.grams = *grams;
    } else {
      line.question = Question::kWeight;
    }
    BASCULE_TRY(add_line(next, std::move(line), till.rounding));
  }
  basket = std::move(next);
  return {};
}

Result<void> add_said(Basket& basket, const Said& said, const PriceList& prices, const TillOptions& till) {
  BASCULE_TRY(check_open(basket));
  BASCULE_ASSIGN(Line line, line_of(said, prices));
  return add_line(basket, std::move(line), till.rounding);
}

Result<void> answer(Basket& basket, std::int64_t number, const Said& said, const PriceList& prices,
                    const TillOptions& till) {
  BASCULE_TRY(check_open(basket));
  BASCULE_ASSIGN(const auto line, find_line(basket, number));
  if (line->question == Question::kNone) {
    return failed(fmt::format("Line {} of basket {} asks nothing. Remove it, and add what is right.", number,
                              basket.number));
  }
  BASCULE_ASSIGN(Line answered, line_of(said, prices));
  answered.number = line->number;
  answered.total = cost(answered, till.rounding);
  *line = std::move(answered);
  return {};
}

Result<void> remove_line(Basket& basket, std::int64_t number) {
  BASCULE_TRY(check_open(basket));
  BASCULE_ASSIGN(const auto line, find_line(basket, number));
  basket.lines.erase(line);
  return {};
}

Result<void> close(Basket& basket) {
  BASCULE_TRY(check_open(basket));
  const auto asks =
      std::ranges::find_if(basket.lines, [](const Line& line) { return line.question != Question::kNone; });
  if (asks != basket.lines.end()) {
    return failed(fmt::format(
        "Line {} of basket {} ('{}') asks for a person ({}): answer it or remove it first.", asks->number,
        basket.number, text::shortened(asks->price.class_name), question_name(asks->question)));
  }
  basket.state = BasketState::kClosed;
  return {};
}

Totals totals_of(const Basket& basket, const TillOptions& till) {
  Totals totals;
  std::map<std::string, Money> sums;
  for (const Line& line : basket.lines) {
    if (line.question != Question::kNone) {
      ++totals.questions;
    } else {
      sums[line.price.tax] += line.total;
    }
  }
  for (const auto& [group, sum] : sums) {
    const auto known = till.taxes.find(group);
    const std::int64_t rate = known == till.taxes.end() ? 0 : known->second;
    TaxTotal& one = totals.taxes[group];
    one.rate = rate;
    if (till.prices_include_tax) {
      one.tax = scaled(sum, rate, kWholeTax + rate, till.rounding);
      one.net = sum - one.tax;
    } else {
      one.tax = scaled(sum, rate, kWholeTax, till.rounding);
      one.net = sum;
    }
    totals.total += one.net + one.tax;
  }
  return totals;
}

std::string basket_json(const Basket& basket, const TillOptions& till) {
  const auto money = [&](Money amount) { return fmt::format("\"{}\"", money_text(amount, till.currency)); };
  std::string out = fmt::format("{{\"basket\":\"{}\",\"state\":\"{}\",\"lines\":[", basket.number,
                                basket.state == BasketState::kOpen ? "open" : "closed");
  for (const Line& line : basket.lines) {
    if (!out.ends_with('[')) out += ',';
    out += fmt::format("{{\"line\":\"{}\",\"class\":{},\"name\":{}", line.number,
                       text::json_quoted(line.price.class_name), text::json_quoted(line.price.name));
    if (line.grams > 0) out += fmt::format(",\"kg\":\"{}\"", kilograms(line.grams));
    out += fmt::format(",\"pieces\":{},\"confidence\":{:.3f}", line.pieces, line.confidence);
    if (line.question == Question::kNone) {
      out += fmt::format(",\"unit\":\"{}\",\"price\":{},\"total\":{},\"tax\":{}}}",
                         line.price.unit == Unit::kPiece ? "piece" : "kg", money(line.price.price),
                         money(line.total), text::json_quoted(line.price.tax));
    } else {
      out += fmt::format(",\"question\":\"{}\"}}", question_name(line.question));
    }
  }
  const Totals totals = totals_of(basket, till);
  out += "],\"taxes\":[";
  for (const auto& [group, one] : totals.taxes) {
    if (!out.ends_with('[')) out += ',';
    out += fmt::format("{{\"tax\":{},\"percent\":\"{}\",\"net\":{},\"amount\":{}}}", text::json_quoted(group),
                       per_cent(one.rate), money(one.net), money(one.tax));
  }
  out += fmt::format("],\"total\":{},\"currency\":\"{}\",\"questions\":{}}}", money(totals.total),
                     till.currency.code, totals.questions);
  return out;
}

std::string receipt_text(const Basket& basket, const TillOptions& till, std::string_view head) {
  constexpr std::size_t kName = 28;
  constexpr std::size_t kAmount = 12;
  const auto row = [&](std::string_view left, Money amount) {
    return fmt::format("{:<{}.{}}{:>{}}\n", left, kName, kName, money_text(amount, till.currency), kAmount);
  };
  const std::string rule(kName + kAmount, '-');
  std::string out(head);
  if (!out.empty() && !out.ends_with('\n')) out += '\n';
  out += fmt::format("Receipt {}\n{}\n", basket.number, rule);
  for (const Line& line : basket.lines) {
    if (line.question != Question::kNone) {
      out += fmt::format("{:<{}.{}}{:>{}}\n", line.price.name, kName, kName, "?", kAmount);
      continue;
    }
    out += row(line.price.name, line.total);
    const std::string price = money_text(line.price.price, till.currency);
    if (line.price.unit == Unit::kKilogram) {
      out += fmt::format("  {} kg x {}\n", kilograms(line.grams), price);
    } else if (line.pieces > 1) {
      out += fmt::format("  {} x {}\n", line.pieces, price);
    }
  }
  const Totals totals = totals_of(basket, till);
  out += rule + '\n' + row("Total " + till.currency.code, totals.total);
  for (const auto& [group, one] : totals.taxes) {
    out += row(
        fmt::format("{} {} {} %", till.prices_include_tax ? "with tax" : "tax", group, per_cent(one.rate)),
        one.tax);
  }
  if (totals.questions > 0) out += fmt::format("{} lines wait for a person\n", totals.questions);
  return out;
}

}  // namespace bascule::applications::checkout

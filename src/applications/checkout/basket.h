#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "applications/checkout/money.h"
#include "applications/checkout/price_list.h"
#include "base/result.h"

namespace bascule::applications::checkout {

// Why a line waits for a person.
enum class Question : std::uint8_t {
  kNone,
  kUnknown,  // the class has no price
  kUnsure,   // the model's confidence is below the till's bound
  kWeight,   // sold by weight, and none came with it, or one weight came with several such classes
};

// One line of a basket: pieces of one thing, or a weight of it. What it costs was fixed when it came in.
// Thread-safety: a value.
struct Line {
  std::int64_t number = 0;  // within its basket, from 1, never used again
  Price price;              // with a question: the class as it was seen, and what is known of it
  std::int64_t pieces = 0;
  std::int64_t grams = 0;  // of what is sold by weight
  Money total = 0;         // 0 with a question
  Question question = Question::kNone;
  double confidence = 1;  // the least of what was seen; 1 for what a person said
};

enum class BasketState : std::uint8_t { kOpen, kClosed };

// Thread-safety: a value.
struct Basket {
  std::int64_t number = 0;  // of the till, from 1
  BasketState state = BasketState::kOpen;
  std::int64_t next_line = 1;
  std::vector<Line> lines;
};

// What a frame showed.
struct Seen {
  std::string class_name;
  double confidence = 0;
};

inline constexpr std::size_t kMostLines = 1'000;
inline constexpr std::int64_t kMostPieces = 10'000;    // of a line
inline constexpr std::int64_t kMostGrams = 1'000'000;  // of a line

// Adds what a frame showed. Pieces of one thing go into one line, with those that are there; what the model
// is not sure of (below `ask_below`), what has no price, and what has no weight of its own becomes a line
// that asks. `grams`: what the scale said of the frame's things by weight, all of one class. Errors:
// kFailedPrecondition for a closed basket; kResourceExhausted beyond kMostLines or kMostPieces;
// kInvalidArgument for a weight of 0 or beyond kMostGrams.
Result<void> add_seen(Basket& basket, const std::vector<Seen>& seen, std::optional<std::int64_t> grams,
                      const PriceList& prices, const TillOptions& till, double ask_below);

// What a person says of a thing: its class, and how many or how much.
struct Said {
  std::string class_name;
  std::optional<std::int64_t> pieces;  // 1 where it is sold by the piece and nothing is said
  std::optional<std::int64_t> grams;
};
// Adds a line. Errors: as add_seen; kNotFound for a class without a price, with the nearest one;
// kInvalidArgument for pieces of what is sold by weight, and the other way round.
Result<void> add_said(Basket& basket, const Said& said, const PriceList& prices, const TillOptions& till);
// Answers the question of a line. Errors: as add_said; kNotFound where there is no such line;
// kFailedPrecondition where it asks nothing.
Result<void> answer(Basket& basket, std::int64_t line, const Said& said, const PriceList& prices,
                    const TillOptions& till);
// Errors: kFailedPrecondition, kNotFound.
Result<void> remove_line(Basket& basket, std::int64_t line);
// From then on nothing changes. Errors: kFailedPrecondition where it is closed already, or a line asks.
Result<void> close(Basket& basket);

// What a tax group comes to.
struct TaxTotal {
  std::int64_t rate = 0;
  Money net = 0;
  Money tax = 0;
};

// Rounded once for each group. Thread-safety: a value.
struct Totals {
  std::map<std::string, TaxTotal> taxes;
  Money total = 0;            // to be paid
  std::size_t questions = 0;  // lines that ask, which are not in it
};
[[nodiscard]] Totals totals_of(const Basket& basket, const TillOptions& till);

// The basket as JSON: number, state, lines, totals by tax group, total, currency; amounts as decimal texts,
// so that no reader makes doubles of them. Lines that ask say so in "question".
[[nodiscard]] std::string basket_json(const Basket& basket, const TillOptions& till);
// The receipt as text of 40 columns, for a printer. `head`: lines above it, such as the shop's name.
[[nodiscard]] std::string receipt_text(const Basket& basket, const TillOptions& till, std::string_view head);

}  // namespace bascule::applications::checkout

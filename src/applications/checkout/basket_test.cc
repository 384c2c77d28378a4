#include "applications/checkout/basket.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bascule::applications::checkout {
namespace {

TillOptions till() {
  return {.currency = {.code = "EUR", .digits = 2},
          .rounding = Rounding::kHalfUp,
          .taxes = {{"full", 19'000}, {"reduced", 7'000}}};
}

PriceList prices() {
  auto list = read_price_list(
      "class,name,price,unit,tax\n"
      "banana,Bananas,1.99,kg,reduced\n"
      "orange,Orange,0.79,piece,reduced\n"
      "apple,\"Apple, red\",0.50,piece,reduced\n"
      "grape,Grapes,3.49,kg,reduced\n"
      "bag,Bag,0.20,piece,full\n",
      till(), "prices.csv");
  EXPECT_TRUE(list) << list.error().message;
  return *std::move(list);
}

Result<void> see(Basket& basket, const std::vector<Seen>& seen,
                 std::optional<std::int64_t> grams = std::nullopt) {
  return add_seen(basket, seen, grams, prices(), till(), 0.6);
}

TEST(Basket, CountsPiecesOfAThingInOneLine) {
  Basket basket{.number = 7};
  ASSERT_TRUE(see(basket, {{"orange", 0.9}, {"apple", 0.8}, {"orange", 0.7}}));
  ASSERT_TRUE(see(basket, {{"orange", 0.95}}));
  ASSERT_EQ(basket.lines.size(), 2U);
  EXPECT_EQ(basket.lines[0].pieces, 3);
  EXPECT_EQ(basket.lines[0].total, 237);
  EXPECT_EQ(basket.lines[0].confidence, 0.7);
  EXPECT_EQ(totals_of(basket, till()).total, 287);
}

TEST(Basket, AsksForAPersonInPlaceOfGuessing) {
  Basket basket{.number = 1};
  ASSERT_TRUE(see(basket, {{"orange", 0.59}, {"melon", 0.99}, {"banana", 0.9}}));
  ASSERT_EQ(basket.lines.size(), 3U);
  EXPECT_EQ(basket.lines[0].question, Question::kUnsure);
  EXPECT_EQ(basket.lines[1].question, Question::kUnknown);
  EXPECT_EQ(basket.lines[2].question, Question::kWeight);
  EXPECT_EQ(totals_of(basket, till()).total, 0);
  EXPECT_EQ(totals_of(basket, till()).questions, 3U);
  const auto closed = close(basket);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message,
            "Line 1 of basket 1 ('orange') asks for a person (unsure): answer it or remove it first.");

  ASSERT_TRUE(answer(basket, 1, {.class_name = "apple"}, prices(), till()));
  ASSERT_TRUE(remove_line(basket, 2));
  const auto pieces = answer(basket, 3, {.class_name = "banana", .pieces = 2}, prices(), till());
  EXPECT_EQ(pieces.error().message, "'banana' is sold by weight: say grams, not pieces.");
  ASSERT_TRUE(answer(basket, 3, {.class_name = "banana", .grams = 1250}, prices(), till()));
  EXPECT_EQ(answer(basket, 3, {.class_name = "apple"}, prices(), till()).error().code,
            Code::kFailedPrecondition);
  ASSERT_TRUE(close(basket));
  EXPECT_EQ(totals_of(basket, till()).total, 50 + 249);  // 1.25 kg x 1.99 = 2.4875
}

TEST(Basket, AWeightIsOfOneClass) {
  Basket one{.number = 1};
  ASSERT_TRUE(see(one, {{"banana", 0.9}, {"banana", 0.8}, {"orange", 0.9}}, 530));
  ASSERT_EQ(one.lines.size(), 2U);
  EXPECT_EQ(one.lines[1].pieces, 2);
  EXPECT_EQ(one.lines[1].total, 105);  // 1.0547
  Basket two{.number = 1};
  ASSERT_TRUE(see(two, {{"banana", 0.9}, {"grape", 0.8}}, 530));
  EXPECT_EQ(two.lines[0].question, Question::kWeight);
  EXPECT_EQ(two.lines[1].question, Question::kWeight);
  EXPECT_FALSE(see(two, {{"banana", 0.9}}, 0));
  EXPECT_FALSE(see(two, {{"banana", 0.9}}, kMostGrams + 1));
}

TEST(Basket, TaxIsRoundedOnceForEachGroup) {
  Basket basket{.number = 1};
  ASSERT_TRUE(see(basket, {{"orange", 1}, {"apple", 1}, {"apple", 1}, {"bag", 1}}));
  Totals included = totals_of(basket, till());
  EXPECT_EQ(included.total, 199);
  EXPECT_EQ(included.taxes["reduced"].tax, 12);  // 1.79 * 7 / 107 = 0.1171
  EXPECT_EQ(included.taxes["reduced"].net, 167);
  EXPECT_EQ(included.taxes["full"].tax, 3);  // 0.20 * 19 / 119 = 0.0319
  TillOptions net = till();
  net.prices_include_tax = false;
  Totals added = totals_of(basket, net);
  EXPECT_EQ(added.taxes["reduced"].tax, 13);  // 0.1253
  EXPECT_EQ(added.taxes["full"].tax, 4);
  EXPECT_EQ(added.total, 199 + 17);
}

TEST(Basket, ChangesWholeOrNotAtAll) {
  Basket basket{.number = 1};
  const std::vector<Seen> many(kMostPieces + 1, {"orange", 1});
  const auto result = see(basket, many);
  ASSERT_FALSE(result);
  EXPECT_TRUE(basket.lines.empty());
  std::vector<Seen> unknown;
  for (std::size_t i = 0; i <= kMostLines; ++i) unknown.push_back({"thing", 1});
  EXPECT_EQ(see(basket, unknown).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(basket.lines.empty());
}

TEST(Basket, AClosedOneStaysAsItIs) {
  Basket basket{.number = 3};
  ASSERT_TRUE(add_said(basket, {.class_name = "bag", .pieces = 2}, prices(), till()));
  ASSERT_TRUE(close(basket));
  EXPECT_EQ(see(basket, {{"orange", 1}}).error().message, "Basket 3 is closed; begin a new one.");
  EXPECT_FALSE(add_said(basket, {.class_name = "bag"}, prices(), till()));
  EXPECT_FALSE(remove_line(basket, 1));
  EXPECT_FALSE(close(basket));
  EXPECT_EQ(basket.lines.size(), 1U);
}

TEST(Basket, NamesTheNearestClass) {
  Basket basket{.number = 1};
  EXPECT_EQ(add_said(basket, {.class_name = "ornage"}, prices(), till()).error().message,
            "The price list has no class 'ornage'; did you mean 'orange'?");
}

TEST(Basket, IsToldAsJsonWithExactAmounts) {
  Basket basket{.number = 2};
  ASSERT_TRUE(see(basket, {{"orange", 0.9}, {"melon", 0.9}}));
  EXPECT_EQ(
      basket_json(basket, till()),
      R"({"basket":"2","state":"open","lines":[{"line":"1","class":"orange","name":"Orange","pieces":1,"confidence":0.900,)"
      R"("unit":"piece","price":"0.79","total":"0.79","tax":"reduced"},{"line":"2","class":"melon","name":"melon","pieces":1,)"
      R"("confidence":0.900,"question":"unknown"}],"taxes":[{"tax":"reduced","percent":"7","net":"0.74","amount":"0.05"}],)"
      R"("total":"0.79","currency":"EUR","questions":1})");
}

TEST(Basket, IsPrintedAsAReceipt) {
  Basket basket{.number = 12};
  ASSERT_TRUE(see(basket, {{"orange", 0.9}, {"orange", 0.9}, {"banana", 0.9}}, 530));
  EXPECT_EQ(receipt_text(basket, till(), "Corner shop"),
            "Corner shop\n"
            "Receipt 12\n"
            "----------------------------------------\n"
            "Orange                              1.58\n"
            "  2 x 0.79\n"
            "Bananas                             1.05\n"
            "  0.530 kg x 1.99\n"
            "----------------------------------------\n"
            "Total EUR                           2.63\n"
            "with tax reduced 7 %                0.17\n");
}

}  // namespace
}  // namespace bascule::applications::checkout

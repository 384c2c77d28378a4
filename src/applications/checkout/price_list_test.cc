#include "applications/checkout/price_list.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bascule::applications::checkout {
namespace {

TillOptions till() {
  return {.currency = {.code = "EUR", .digits = 2}, .taxes = {{"A", 19'000}, {"B", 7'000}}};
}

TEST(PriceList, IsReadWithColumnsInAnyOrder) {
  const auto list = read_price_list(
      "tax,price,class,unit,name\nB,0.79,orange,piece,\"Orange, blood\"\nB,1.990,banana,kg,Bananas\n", till(),
      "prices.csv");
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->by_class.size(), 2U);
  const Price* orange = list->find("orange");
  ASSERT_NE(orange, nullptr);
  EXPECT_EQ(orange->name, "Orange, blood");
  EXPECT_EQ(orange->price, 79);
  EXPECT_EQ(orange->unit, Unit::kPiece);
  EXPECT_EQ(list->find("banana")->price, 199);
  EXPECT_EQ(list->find("melon"), nullptr);
}

struct BadList {
  const char* csv;
  const char* said;
};

TEST(PriceList, SaysWhatIsWrongInWhichRow) {
  const std::vector<BadList> lists = {
      {"class,name,price,unit,tax\norange,Orange,0.79,piece,B\norange,Orange,0.89,piece,B\n",
       "prices.csv, row 2: the class 'orange' has a price already; each is given once."},
      {"class,name,price,unit,tax\norange,Orange,\"0,79\",piece,B\n",
       "prices.csv, row 1: the price '0,79' is no amount such as 1.99; digits with one point."},
      {"class,name,price,unit,tax\norange,Orange,-1,piece,B\n",
       "prices.csv, row 1: the price '-1' is no amount such as 1.99; digits with one point."},
      {"class,name,price,unit,tax\norange,Orange,0.795,piece,B\n",
       "prices.csv, row 1: EUR has 2 digits behind the point, the amount has 3."},
      {"class,name,price,unit,tax\norange,Orange,0.79,box,B\n",
       "prices.csv, row 1: the unit 'box' is neither 'piece' nor 'kg'."},
      {"class,name,price,unit,tax\norange,Orange,0.79,kg,C\n",
       "prices.csv, row 1: the tax group 'C' is not among those of the till: A, B."},
      {"class,name,price,unit,tax\n,Orange,0.79,kg,B\n",
       "prices.csv, row 1: the class has 0 bytes, of 1 to 200."},
      {"class,name,price,unti,tax\norange,Orange,0.79,kg,B\n",
       "prices.csv: there is no column 'unti' in a price list; did you mean 'unit'? Its columns are class, "
       "name, price, unit, tax."},
      {"class,name,price,unit\norange,Orange,0.79,kg\n",
       "prices.csv: the column 'tax' is missing. A price list has class, name, price, unit, tax."},
  };
  for (const BadList& bad : lists) {
    const auto list = read_price_list(bad.csv, till(), "prices.csv");
    ASSERT_FALSE(list) << bad.csv;
    EXPECT_EQ(list.error().message, bad.said);
  }
  EXPECT_FALSE(read_price_list("", till(), "prices.csv"));
  EXPECT_FALSE(
      read_price_list("class,name,price,unit,tax\norange,Orange,0.79,piece\n", till(), "prices.csv"));
}

TEST(PriceList, TaxesAreReadExactly) {
  EXPECT_EQ(*parse_tax("19"), 19'000);
  EXPECT_EQ(*parse_tax("7.5"), 7'500);
  EXPECT_EQ(*parse_tax("0"), 0);
  EXPECT_EQ(*parse_tax("100"), 100'000);
  for (const char* bad : {"101", "-1", "7.1234", "x", "", "999999999999999"})
    EXPECT_FALSE(parse_tax(bad)) << bad;
}

}  // namespace
}  // namespace bascule::applications::checkout

#include "applications/checkout/till.h"

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace bascule::applications::checkout {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

class TillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) /
        fmt::format("till-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    write("class,name,price,unit,tax\norange,Orange,0.79,piece,B\nbanana,Bananas,1.99,kg,B\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& csv) const { ASSERT_TRUE(write_file(folder_ / "prices.csv", csv)); }
  std::unique_ptr<Till> open() {
    auto till = Till::open({.till = {.currency = {.code = "EUR", .digits = 2}, .taxes = {{"B", 7'000}}},
                            .prices = folder_ / "prices.csv",
                            .store = folder_ / "till.db",
                            .receipt_head = "Corner shop"},
                           [this](const content::EncodedPicture&, Till::Looked looked) { looked(seen_); });
    EXPECT_TRUE(till) << till.error().message;
    return *std::move(till);
  }

  static Result<std::string> show_frame(Till& till, std::int64_t basket, std::optional<std::int64_t> grams,
                                        const Once& once) {
    Result<std::string> told = internal_error("not told");
    till.add_frame({.basket = basket, .grams = grams}, once, kNow,
                   [&](Result<std::string> answer) { told = std::move(answer); });
    return told;
  }

  std::filesystem::path folder_;
  std::vector<Seen> seen_;
};

TEST_F(TillTest, TakesABasketFromItsBeginningToItsReceipt) {
  const auto till = open();
  ASSERT_TRUE(till->begin({}, kNow));
  seen_ = {{"orange", 0.9}, {"banana", 0.9}};
  ASSERT_TRUE(show_frame(*till, 1, 530, {.key = "a", .request = "frame"}));
  ASSERT_TRUE(show_frame(*till, 1, 530, {.key = "a", .request = "frame"}));  // sent twice
  ASSERT_TRUE(till->add_line(1, {.class_name = "orange", .pieces = 2}, {}, kNow));
  const auto closed = till->close_basket(1, {}, kNow);
  ASSERT_TRUE(closed) << closed.error().message;
  EXPECT_NE(closed->find(R"("total":"3.42")"), std::string::npos) << *closed;
  EXPECT_EQ(*till->show(1), *closed);
  EXPECT_TRUE(till->receipt(1)->starts_with("Corner shop\nReceipt 1\n"));
  EXPECT_EQ(show_frame(*till, 9, {}, {}).error().code, Code::kNotFound);
}

TEST_F(TillTest, ABadPriceListKeepsTheOneBefore) {
  const auto till = open();
  ASSERT_TRUE(till->begin({}, kNow));
  write("class,name,price,unit,tax\norange,Orange,cheap,piece,B\n");
  till->reload_prices();
  EXPECT_EQ(till->state().refused, 1U);
  EXPECT_EQ(till->state().prices_error,
            "prices.csv, row 1: the price 'cheap' is no amount such as 1.99; digits with one point.");
  ASSERT_TRUE(till->add_line(1, {.class_name = "orange"}, {}, kNow));
  write("class,name,price,unit,tax\norange,Orange,0.99,piece,B\n");
  till->reload_prices();
  EXPECT_EQ(till->state().reloads, 1U);
  EXPECT_EQ(till->state().prices_error, "");
  const auto told = till->add_line(1, {.class_name = "orange"}, {}, kNow);
  ASSERT_TRUE(told);
  EXPECT_NE(told->find(R"("total":"1.78")"), std::string::npos) << *told;  // the first keeps its price
  std::filesystem::remove(folder_ / "prices.csv");
  till->reload_prices();
  EXPECT_EQ(till->state().refused, 2U);
}

TEST_F(TillTest, CountsAnItemOfTheBeltOnce) {
  const auto till = open();
  ASSERT_TRUE(till->count({"orange", 0.9}, "event-1", kNow));
  ASSERT_TRUE(till->count({"orange", 0.9}, "event-1", kNow));
  ASSERT_TRUE(till->count({"orange", 0.9}, "event-2", kNow));
  EXPECT_NE(till->show(1)->find(R"("pieces":2)"), std::string::npos) << *till->show(1);
}

TEST_F(TillTest, APictureIsABasketOfItsOwn) {
  const auto till = open();
  ASSERT_TRUE(till->count_all({{"orange", 0.9}, {"orange", 0.8}}, "picture-1", kNow));
  ASSERT_TRUE(till->count_all({{"orange", 0.9}, {"orange", 0.8}}, "picture-1", kNow));
  ASSERT_TRUE(till->count_all({}, "picture-2", kNow));
  EXPECT_NE(till->show(1)->find(R"("pieces":2)"), std::string::npos) << *till->show(1);
  EXPECT_TRUE(till->show(2));
  EXPECT_FALSE(till->show(3));
  EXPECT_EQ(till->state().counted, 4U);
}

}  // namespace
}  // namespace bascule::applications::checkout

#include "applications/checkout/basket_store.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace bascule::applications::checkout {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;

TillOptions till() { return {.currency = {.code = "EUR", .digits = 2}, .taxes = {{"B", 7'000}}}; }

PriceList prices() {
  return {.by_class = {{"orange", {.class_name = "orange", .name = "Orange", .price = 79, .tax = "B"}},
                       {"apple", {.class_name = "apple", .name = "Apple", .price = 50, .tax = "B"}}}};
}

class BasketStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              fmt::format("baskets-{}-{}", ::getpid(),
                          testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::unique_ptr<BasketStore> open() {
    auto store = BasketStore::open(folder_ / "till.db", till());
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }
  static BasketStore::Change see(const std::string& class_name) {
    return [class_name](Basket& basket) {
      return add_seen(basket, {{class_name, 0.9}}, std::nullopt, prices(), till(), 0.5);
    };
  }

  std::filesystem::path folder_;
};

TEST_F(BasketStoreTest, KeepsBasketsFromOneOpeningToTheNext) {
  std::string told;
  {
    const auto store = open();
    EXPECT_TRUE(store->create({}, kNow)->starts_with(R"({"basket":"1","state":"open","lines":[])"));
    EXPECT_TRUE(store->change(1, {}, kNow, see("orange")));
    told = *store->change(1, {}, kNow, see("melon"));
    EXPECT_TRUE(store->create({}, kNow));
  }
  const auto store = open();
  const auto basket = store->find(1);
  ASSERT_TRUE(basket);
  EXPECT_EQ(basket_json(*basket, till()), told);
  ASSERT_EQ(basket->lines.size(), 2U);
  EXPECT_EQ(basket->lines[0].price.name, "Orange");
  EXPECT_EQ(basket->lines[1].question, Question::kUnknown);
  EXPECT_EQ(store->find(3).error().message, "There is no basket 3.");
  EXPECT_EQ(store->create({}, kNow)->substr(0, 13), R"({"basket":"3")");
}

TEST_F(BasketStoreTest, MakesAChangeOnceForItsKey) {
  const auto store = open();
  const Once begin{.key = "k1", .request = "POST baskets"};
  const std::string first = *store->create(begin, kNow);
  EXPECT_EQ(*store->create(begin, kNow + 5), first);
  const Once add{.key = "k2", .request = "POST orange"};
  const std::string added = *store->change(1, add, kNow, see("orange"));
  EXPECT_EQ(*store->change(1, add, kNow, see("orange")), added);
  EXPECT_EQ(store->find(1)->lines[0].pieces, 1);
  const auto other = store->change(1, {.key = "k2", .request = "POST apple"}, kNow, see("apple"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->change(1, {.key = std::string(201, 'k')}, kNow, see("apple")).error().code,
            Code::kInvalidArgument);
  // Long after, the key is as new.
  EXPECT_TRUE(
      store->change(1, {.key = "k3", .request = "x"}, kNow + BasketStore::kKeysKeptS + 1, see("apple")));
  EXPECT_TRUE(store->change(1, add, kNow + BasketStore::kKeysKeptS + 2, see("orange")));
  EXPECT_EQ(store->find(1)->lines[0].pieces, 2);
}

TEST_F(BasketStoreTest, ARefusedChangeLeavesNothingBehind) {
  const auto store = open();
  ASSERT_TRUE(store->create({}, kNow));
  const Once once{.key = "k", .request = "r"};
  const auto refused = store->change(1, once, kNow, [](Basket& basket) -> Result<void> {
    basket.lines.push_back({.number = 1});
    return invalid_argument("no");
  });
  ASSERT_FALSE(refused);
  EXPECT_TRUE(store->find(1)->lines.empty());
  EXPECT_TRUE(store->change(1, once, kNow, see("apple")));
  EXPECT_FALSE(store->change_current({.key = "c", .request = "c"}, kNow, [](Basket& basket) {
    return close(basket);
  }) && store->find(2));
}

TEST_F(BasketStoreTest, TheCurrentBasketIsTheNewestThatIsOpen) {
  const auto store = open();
  EXPECT_EQ(store->change_current({}, kNow, see("orange"))->substr(0, 13), R"({"basket":"1")");
  EXPECT_EQ(store->change_current({}, kNow, see("orange"))->substr(0, 13), R"({"basket":"1")");
  ASSERT_TRUE(store->change(1, {}, kNow, [](Basket& basket) { return close(basket); }));
  EXPECT_EQ(store->change_current({}, kNow, see("apple"))->substr(0, 13), R"({"basket":"2")");
  EXPECT_EQ(store->find(1)->lines[0].pieces, 2);
}

TEST_F(BasketStoreTest, RefusesAFileOfALaterVersion) {
  {
    open();
  }
  {
    auto database = journal::Database::open(folder_ / "till.db");
    ASSERT_TRUE(database && database->run("PRAGMA user_version = 2"));
  }
  const auto store = BasketStore::open(folder_ / "till.db", till());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kFailedPrecondition);
}

// A till that is killed in the middle of counting counts on where it was: each event has its key, and is
// sent again where no answer to it was seen.
TEST_F(BasketStoreTest, CountsEachEventOnceHoweverOftenTheProcessIsKilled) {
  constexpr int kEvents = 60;
  const unsigned seed = testing::UnitTest::GetInstance()->random_seed() != 0
                            ? static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed())
                            : 1U;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  {
    ASSERT_TRUE(open()->create({}, kNow));
  }
  int killed = 0;
  while (true) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = BasketStore::open(folder_ / "till.db", till());
      if (!store) ::_exit(2);
      for (int i = 0; i < kEvents; ++i) {
        const Once once{.key = fmt::format("event-{}", i), .request = "seen"};
        if (!(*store)->change(1, once, kNow, see(i % 3 == 0 ? "apple" : "orange"))) ::_exit(3);
      }
      ::_exit(0);
    }
    if (killed < 20) {
      ::poll(nullptr, 0, std::uniform_int_distribution<int>(0, 20)(random));
      ::kill(child, SIGKILL);
      ++killed;
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
      ASSERT_EQ(WEXITSTATUS(status), 0);
      if (killed == 20) break;
    }
  }
  const auto basket = open()->find(1);
  ASSERT_TRUE(basket);
  ASSERT_EQ(basket->lines.size(), 2U);
  EXPECT_EQ(basket->lines[0].pieces, 20);
  EXPECT_EQ(basket->lines[1].pieces, 40);
  EXPECT_EQ(totals_of(*basket, till()).total, 20 * 50 + 40 * 79);
}

}  // namespace
}  // namespace bascule::applications::checkout

#include "journal/tally.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::journal {
namespace {

using testing::ElementsAre;

class TallyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("tally-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Database open() {
    auto opened = Database::open(folder_ / "counts.db");
    EXPECT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(make_tallies(*opened));
    return *std::move(opened);
  }
  static void add(Database& database, const std::vector<Tally>& tallies) {
    const auto added = add_tallies(database, tallies);
    ASSERT_TRUE(added) << added.error().message;
  }
  // "DAY what whose label count" of each.
  static std::vector<std::string> all(Database& database, std::size_t days = kMostDays) {
    const auto read = read_tallies(database, days);
    EXPECT_TRUE(read) << read.error().message;
    std::vector<std::string> out;
    for (const Tally& tally : *read) {
      out.push_back(
          fmt::format("{} {} {} {} {}", tally.day, tally.what, tally.whose, tally.label, tally.count));
    }
    return out;
  }
  // One day after the other, in the order of texts.
  static std::string day(int number) { return fmt::format("{:04}-01-01", 1000 + number); }

  std::filesystem::path folder_;
};

TEST_F(TallyTest, AddsToWhatIsThere) {
  {
    Database database = open();
    add(database, {{.day = "2026-11-27", .what = "b", .whose = "x", .label = "", .count = 1},
                   {.day = "2026-11-26", .what = "b", .whose = "x", .label = "y", .count = 2}});
    add(database, {{.day = "2026-11-27", .what = "b", .whose = "x", .label = "", .count = 40},
                   {.day = "2026-11-27", .what = "a", .whose = "", .label = "it's", .count = 5}});
    add(database, {});
  }
  Database database = open();
  EXPECT_THAT(all(database), ElementsAre("2026-11-26 b x y 2", "2026-11-27 a  it's 5", "2026-11-27 b x  41"));
  EXPECT_THAT(all(database, 1), ElementsAre("2026-11-27 a  it's 5", "2026-11-27 b x  41"));
}

TEST_F(TallyTest, KeepsTheLastDays) {
  Database database = open();
  for (int i = 1; i <= 403; ++i) add(database, {{.day = day(i), .what = "a", .count = 1}});
  const auto kept = all(database);
  EXPECT_EQ(kept.size(), kMostDays);
  EXPECT_EQ(kept.front(), day(4) + " a   1");
  EXPECT_EQ(kept.back(), day(403) + " a   1");
  // Older than all of them: there is no room. Between them: there is, the oldest goes.
  add(database, {{.day = day(1), .what = "a", .count = 1}});
  EXPECT_EQ(all(database), kept);
  add(database, {{.day = "1200-06-01", .what = "a", .count = 1}});
  EXPECT_EQ(all(database).front(), day(5) + " a   1");
}

TEST_F(TallyTest, CountsLabelsBeyondItsRoomTogether) {
  Database database = open();
  std::vector<Tally> many;
  for (int i = 0; i < 700; ++i)
    many.push_back({.day = "2026-11-27", .what = "a", .label = fmt::format("label-{:03}", i), .count = 1});
  add(database, many);
  add(database, {{.day = "2026-11-27", .what = "a", .label = "label-003", .count = 10},
                 {.day = "2026-11-27", .what = "a", .label = "label-699", .count = 10},
                 {.day = "2026-11-27", .what = "frames", .count = 9},  // no label: always
                 {.day = "2026-11-28", .what = "a", .label = "label-699", .count = 10}});
  const auto kept = all(database);
  EXPECT_EQ(kept.size(), kMostTalliesOfDay + 3);
  EXPECT_THAT(kept, testing::IsSupersetOf({"2026-11-27 a  (other) 210", "2026-11-27 a  label-003 11",
                                           "2026-11-27 frames   9", "2026-11-28 a  label-699 10"}));
}

}  // namespace
}  // namespace bascule::journal

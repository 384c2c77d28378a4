#include "journal/outbox.h"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/stepped.h"

namespace bascule::journal {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class OutboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("outbox-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::filesystem::path file() const { return folder_ / "outbox.db"; }
  std::unique_ptr<Outbox> open(const OutboxOptions& options = {}) {
    auto outbox = Outbox::open(file(), options, clock_);
    EXPECT_TRUE(outbox) << outbox.error().message;
    return outbox ? *std::move(outbox) : nullptr;
  }
  static Parcel parcel(const std::string& id, std::vector<std::string> to = {"a"}, std::size_t attached = 0) {
    return {.id = id,
            .body = "body of " + id,
            .attachment = attached == 0
                              ? nullptr
                              : std::make_shared<const std::vector<std::byte>>(attached, std::byte{7}),
            .receivers = std::move(to)};
  }
  static Result<PutResult> put(Outbox& outbox, const Parcel& one) { return outbox.put(std::span(&one, 1)); }
  // The ids that wait for a receiver, taking them.
  static std::vector<std::string> take_all(Outbox& outbox, const std::string& receiver) {
    std::vector<std::string> ids;
    while (true) {
      const auto next = outbox.first(receiver);
      EXPECT_TRUE(next) << next.error().message;
      if (!next || !*next) return ids;
      ids.push_back((*next)->id);
      EXPECT_TRUE(outbox.delivered(receiver, (*next)->number));
    }
  }

  HeldClock clock_;
  std::filesystem::path folder_;
};

TEST_F(OutboxTest, GivesEachReceiverItsParcelsInOrder) {
  auto outbox = open();
  const std::vector<Parcel> parcels{parcel("1", {"a", "b"}, 3), parcel("2", {"b"}), parcel("3", {"a"})};
  const auto result = outbox->put(parcels);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->kept, 3U);
  const auto first = outbox->first("a");
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->body, "body of 1");
  ASSERT_NE((*first)->attachment, nullptr);
  EXPECT_EQ(*(*first)->attachment, std::vector<std::byte>(3, std::byte{7}));
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("1", "3"));
  EXPECT_GT(outbox->bytes(), 0U);
  EXPECT_THAT(take_all(*outbox, "b"), ElementsAre("1", "2"));
  EXPECT_EQ(outbox->bytes(), 0U);
  EXPECT_THAT(take_all(*outbox, "c"), IsEmpty());
}

TEST_F(OutboxTest, KeepsEverythingOverARestart) {
  {
    auto outbox = open();
    const Parcel one = parcel("1", {"a"}, 100);
    ASSERT_TRUE(outbox->put(std::span(&one, 1), Position{.source = "s", .number = 41, .mark = "x.jpg"}));
  }
  auto outbox = open();
  EXPECT_EQ(outbox->bytes(), 1 + 9 + 100);
  const auto position = outbox->position("s");
  ASSERT_TRUE(position && *position);
  EXPECT_EQ((*position)->number, 41U);
  EXPECT_EQ((*position)->mark, "x.jpg");
  EXPECT_FALSE(*outbox->position("t"));
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("1"));
}

// A replay after a kill decides the same events again, those too that were delivered meanwhile.
TEST_F(OutboxTest, TakesTheSameIdOnce) {
  auto outbox = open();
  ASSERT_TRUE(put(*outbox, parcel("1")));
  EXPECT_EQ(put(*outbox, parcel("1"))->doubles, 1U);
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("1"));
  EXPECT_EQ(put(*outbox, parcel("1"))->doubles, 1U);
  ASSERT_TRUE(put(*outbox, parcel("of nobody", {})));
  EXPECT_EQ(put(*outbox, parcel("of nobody", {"a"}))->doubles, 1U);
  outbox.reset();
  outbox = open();
  EXPECT_EQ(put(*outbox, parcel("1"))->doubles, 1U);
  EXPECT_THAT(take_all(*outbox, "a"), IsEmpty());
}

TEST_F(OutboxTest, CountsWithThePositionOrNotAtAll) {
  auto outbox = open({.max_bytes = 1000});
  const std::vector<Tally> tallies{{.day = "2026-11-27", .what = "frames", .count = 3}};
  const Parcel large = parcel("1", {"a"}, 800);
  ASSERT_TRUE(outbox->put(std::span(&large, 1), Position{.source = "s", .number = 1}, tallies));
  const Parcel more = parcel("2", {"a"}, 800);
  ASSERT_FALSE(outbox->put(std::span(&more, 1), Position{.source = "s", .number = 2}, tallies));
  ASSERT_TRUE(outbox->put({}, Position{.source = "s", .number = 1}, tallies));
  outbox.reset();
  outbox = open();
  const auto kept = outbox->tallies(1);
  ASSERT_TRUE(kept && kept->size() == 1);
  EXPECT_EQ(kept->front().count, 6U);
}

// Files of before there were counts.
TEST_F(OutboxTest, TakesAFileWithoutCounts) {
  open().reset();
  {
    auto older = Database::open(file());
    ASSERT_TRUE(older && older->run("DROP TABLE tallies"));
  }
  auto outbox = open();
  EXPECT_TRUE(outbox->tallies(1)->empty());
}

TEST_F(OutboxTest, RemembersAsManyIdsAsItIsTold) {
  auto outbox = open({.remembered = 3});
  ASSERT_TRUE(put(*outbox, parcel("waits")));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(put(*outbox, parcel(std::to_string(i), {"b"})));
  EXPECT_EQ(put(*outbox, parcel("waits"))->doubles, 1U);  // not delivered, so not forgotten
  EXPECT_EQ(take_all(*outbox, "b").size(), 10U);
  ASSERT_TRUE(put(*outbox, parcel("one more", {"b"})));
  EXPECT_EQ(put(*outbox, parcel("9", {"b"}))->doubles, 1U);
  EXPECT_EQ(put(*outbox, parcel("2", {"b"}))->kept, 1U);
}

TEST_F(OutboxTest, RefusesWhatDoesNotFitUntilThereIsRoom) {
  auto outbox = open({.max_bytes = 1000});
  ASSERT_TRUE(put(*outbox, parcel("1", {"a"}, 600)));
  const std::vector<Parcel> two{parcel("2", {"a"}, 100), parcel("3", {"a"}, 400)};
  const auto full = outbox->put(two, Position{.source = "s", .number = 2, .mark = ""});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kResourceExhausted);
  EXPECT_FALSE(*outbox->position("s"));  // nothing of it is kept
  const auto never = put(*outbox, parcel("4", {"a"}, 2000));
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, Code::kPayloadTooLarge);
  const std::vector<Parcel> both{parcel("5", {"a"}, 600), parcel("6", {"a"}, 600)};
  EXPECT_EQ(outbox->put(both).error().code, Code::kPayloadTooLarge);
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("1"));
  EXPECT_EQ(outbox->put(two, Position{.source = "s", .number = 2, .mark = ""})->kept, 2U);
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("2", "3"));
}

TEST_F(OutboxTest, DropsTheOldestForRoomWhereThatIsThePolicy) {
  auto outbox = open({.max_bytes = 1000, .when_full = WhenFull::kDropOldest});
  ASSERT_TRUE(put(*outbox, parcel("1", {"a", "b"}, 300)));
  ASSERT_TRUE(put(*outbox, parcel("2", {"a"}, 300)));
  testing::internal::CaptureStderr();
  EXPECT_EQ(put(*outbox, parcel("3", {"a"}, 900))->dropped, 2U);
  EXPECT_THAT(
      testing::internal::GetCapturedStderr(),
      HasSubstr(
          "dropped 3 deliveries of its 2 oldest events: 0 were older than 168.0 h, for 2 there was no room"));
  EXPECT_EQ(outbox->dropped("a"), 2U);
  EXPECT_EQ(outbox->dropped("b"), 1U);
  EXPECT_EQ(outbox->dropped("c"), 0U);
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("3"));
  EXPECT_THAT(take_all(*outbox, "b"), IsEmpty());
}

TEST_F(OutboxTest, DropsWhatWaitedForTooLong) {
  auto outbox = open({.max_age = hours(2)});
  ASSERT_TRUE(put(*outbox, parcel("1")));
  clock_.time += hours(1);
  ASSERT_TRUE(put(*outbox, parcel("2")));
  EXPECT_EQ(outbox->states()->at(0).oldest, Duration(hours(1)));
  clock_.time += hours(1) + seconds(1);
  EXPECT_EQ(*outbox->drop_old(), 1U);
  EXPECT_EQ(*outbox->drop_old(), 0U);
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("2"));
  EXPECT_EQ(outbox->dropped("a"), 1U);
}

// Ages count the time that the file was open: a machine whose date is wrong after a power cut drops nothing
// for that, and one that was off for a month neither.
TEST_F(OutboxTest, CountsAgeWhileItIsOpenOnly) {
  auto outbox = open({.max_age = hours(2)});
  ASSERT_TRUE(put(*outbox, parcel("1")));
  clock_.time += minutes(90);
  outbox.reset();
  clock_.time += hours(1000);
  outbox = open({.max_age = hours(2)});
  EXPECT_EQ(outbox->states()->at(0).oldest, Duration(minutes(90)));
  clock_.time += minutes(20);
  EXPECT_EQ(*outbox->drop_old(), 0U);
  clock_.time += minutes(11);
  EXPECT_EQ(*outbox->drop_old(), 1U);
}

TEST_F(OutboxTest, MovesAsideWhatIsRefusedForGood) {
  auto outbox = open();
  const std::vector<Parcel> two{parcel("1"), parcel("2")};
  ASSERT_TRUE(outbox->put(two));
  ASSERT_TRUE(outbox->refused("a", (*outbox->first("a"))->number, "status 404"));
  EXPECT_EQ((*outbox->first("a"))->id, "2");
  auto states = outbox->states();
  ASSERT_TRUE(states) << states.error().message;
  EXPECT_EQ(states->at(0).waiting, 1U);
  EXPECT_EQ(states->at(0).aside, 1U);
  const auto aside = outbox->aside("a");
  ASSERT_TRUE(aside && aside->size() == 1);
  EXPECT_EQ(aside->at(0).id, "1");
  EXPECT_EQ(aside->at(0).why, "status 404");
  EXPECT_EQ(*outbox->try_again("a"), 1U);
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("1", "2"));
}

TEST_F(OutboxTest, KeepsAFewOfTheRefusedAndNoneForWantOfRoom) {
  auto outbox = open({.max_bytes = 1000, .max_aside = 2});
  for (const char* const id : {"1", "2", "3"}) {
    ASSERT_TRUE(put(*outbox, parcel(id, {"a"}, 200)));
    ASSERT_TRUE(outbox->refused("a", (*outbox->first("a"))->number, "no"));
  }
  EXPECT_EQ(outbox->aside("a")->size(), 2U);
  EXPECT_EQ(outbox->aside("a")->front().id, "2");
  ASSERT_TRUE(put(*outbox, parcel("4", {"a"}, 700)));  // a refused one makes room
  EXPECT_EQ(outbox->aside("a")->front().id, "3");
  EXPECT_THAT(take_all(*outbox, "a"), ElementsAre("4"));
}

TEST_F(OutboxTest, RefusesAnotherProcess) {
  auto outbox = open();
  ASSERT_TRUE(put(*outbox, parcel("1")));
  const auto second = Outbox::open(file(), {.database = {.busy = std::chrono::milliseconds(1)}}, clock_);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("Another process uses the file"));
}

TEST_F(OutboxTest, RefusesFilesOfOthersAndOfNewerVersions) {
  {
    auto other = Database::open(file());
    ASSERT_TRUE(other && other->run("CREATE TABLE mine(a)"));
  }
  EXPECT_THAT(Outbox::open(file(), {}, clock_).error().message, HasSubstr("another program"));
  std::filesystem::remove(file());
  open().reset();
  {
    auto newer = Database::open(file());
    ASSERT_TRUE(newer && newer->run("PRAGMA user_version=2"));
  }
  const auto refused = Outbox::open(file(), {}, clock_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("has format 2"));
}

TEST_F(OutboxTest, WakesWhoeverWaits) {
  auto outbox = open();
  const std::uint64_t seen = outbox->arrivals();
  outbox->wait(seen, std::chrono::milliseconds(1));
  EXPECT_EQ(outbox->arrivals(), seen);
  std::thread waiting([&] { outbox->wait(seen, hours(1)); });
  ASSERT_TRUE(put(*outbox, parcel("1")));
  waiting.join();
  std::thread stopped([&, now = outbox->arrivals()] { outbox->wait(now, hours(1)); });
  outbox->wake();
  stopped.join();
}

// Fills what holds the file, frees it, and finds everything that was acknowledged.
void fill_and_free(Outbox& outbox, const std::function<void()>& free_some) {
  std::vector<std::string> acknowledged;
  Result<PutResult> result;
  for (int i = 0; i < 10'000; ++i) {
    const Parcel one{.id = std::to_string(i), .body = std::string(20'000, 'x'), .receivers = {"a"}};
    result = outbox.put(std::span(&one, 1), Position{.source = "s", .number = static_cast<std::uint64_t>(i)});
    if (!result) break;
    acknowledged.push_back(one.id);
  }
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kResourceExhausted) << result.error().message;
  EXPECT_EQ((*outbox.position("s"))->number, acknowledged.size() - 1);
  free_some();
  std::vector<std::string> found;
  while (const auto next = *outbox.first("a")) {
    found.push_back(next->id);
    const auto told = outbox.delivered("a", next->number);
    ASSERT_TRUE(told) << told.error().message;
  }
  EXPECT_EQ(found, acknowledged);
  const Parcel more{.id = "more", .body = std::string(20'000, 'x'), .receivers = {"a"}};
  EXPECT_TRUE(outbox.put(std::span(&more, 1)));
}

TEST_F(OutboxTest, GoesOnAfterItsFileWasFull) {
  auto outbox = open({.database = {.max_bytes = 1 << 20}});
  fill_and_free(*outbox, [] {});
}

TEST_F(OutboxTest, GoesOnAfterTheDiskWasFull) {
  const std::filesystem::path disk = folder_ / "disk";
  std::filesystem::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=24m") != 0) {
    GTEST_SKIP() << "A small disk can be made by root only.";
  }
  {
    std::filesystem::path ballast = disk / "ballast";
    std::ofstream(ballast) << std::string(12 << 20, 'x');
    auto outbox = Outbox::open(disk / "outbox.db", {}, clock_);
    EXPECT_TRUE(outbox) << outbox.error().message;
    if (outbox) fill_and_free(**outbox, [&] { std::filesystem::remove(ballast); });
  }
  ::umount(disk.c_str());
}

}  // namespace
}  // namespace bascule::journal

// A process that puts is killed with -9 at random moments, again and again; what put() has acknowledged is
// there, once, and each source goes on where it was.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "journal/outbox.h"

namespace bascule::journal {
namespace {

constexpr int kKills = 20;
constexpr std::uint64_t kSeed = 20'261'127;
constexpr std::array<const char*, 2> kSources{"folder", "video"};
const SteadyClock kClock;

// What a source decides at its frame: nothing, an event for one receiver, or two events for both. The oracle.
std::vector<Parcel> decided(const std::string& source, std::uint64_t frame) {
  std::vector<Parcel> parcels;
  const std::string id = source + "-" + std::to_string(frame);
  if (frame % 3 == 0)
    parcels.push_back({.id = id, .body = std::string(frame % 5000, 'b'), .receivers = {"a"}});
  if (frame % 5 == 0) {
    parcels.push_back({.id = id + "-second",
                       .body = "b",
                       .attachment = std::make_shared<const std::vector<std::byte>>(frame * 37 % 20'000),
                       .receivers = {"a", "b"}});
  }
  return parcels;
}

// What is counted of that frame.
std::vector<Tally> counted(const std::string& source, std::uint64_t frame) {
  return {
      {.day = frame % 2 == 0 ? "2026-11-26" : "2026-11-27", .what = "frames", .whose = source, .count = 1},
      {.day = "2026-11-27",
       .what = "events",
       .whose = source,
       .label = std::to_string(frame % 7),
       .count = frame}};
}

std::string key_of(const Tally& tally) {
  return tally.day + " " + tally.what + " " + tally.whose + " " + tally.label;
}

struct Ack {
  std::uint32_t source = 0;
  std::uint64_t frame = 0;
};

// The process that is killed: goes on where the file says, tells each frame that was acknowledged.
[[noreturn]] void put_forever(const std::filesystem::path& file, int acks) {
  auto outbox = Outbox::open(file, {}, kClock);
  if (!outbox) ::_exit(3);
  std::array<std::uint64_t, kSources.size()> next{};
  for (std::size_t i = 0; i < kSources.size(); ++i) {
    const auto position = (*outbox)->position(kSources[i]);
    if (!position) ::_exit(4);
    next[i] = *position ? (*position)->number + 1 : 1;
  }
  for (std::uint32_t turn = 0;; ++turn) {
    const std::uint32_t source = turn % kSources.size();
    const std::uint64_t frame = next[source]++;
    const auto put = (*outbox)->put(decided(kSources[source], frame),
                                    Position{.source = kSources[source], .number = frame, .mark = ""},
                                    counted(kSources[source], frame));
    if (!put) ::_exit(5);
    const Ack ack{.source = source, .frame = frame};
    if (::write(acks, &ack, sizeof ack) != sizeof ack) ::_exit(6);
  }
}

class OutboxKillTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("outbox-kill-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Starts the process, reads so many acknowledgements, waits for a moment, kills it, and reads the rest.
  void run_and_kill(std::uint32_t acks, std::uint32_t ms) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      put_forever(folder_ / "outbox.db", pipe[1]);
    }
    ::close(pipe[1]);
    Ack ack;
    for (std::uint32_t i = 0; i < acks && read_one(pipe[0], ack); ++i) acknowledged_[ack.source] = ack.frame;
    poll(nullptr, 0, static_cast<int>(ms));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended with " << WEXITSTATUS(status);
    while (read_one(pipe[0], ack)) acknowledged_[ack.source] = ack.frame;
    ::close(pipe[0]);
  }

  static bool read_one(int pipe, Ack& ack) { return ::read(pipe, &ack, sizeof ack) == sizeof ack; }

  std::filesystem::path folder_;
  std::array<std::uint64_t, kSources.size()> acknowledged_{};
};

TEST_F(OutboxKillTest, LosesNothingAndDoublesNothing) {
  std::mt19937_64 random(kSeed);
  for (int kill = 0; kill < kKills; ++kill) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", kill " << kill);
    run_and_kill(static_cast<std::uint32_t>(random() % 40), static_cast<std::uint32_t>(random() % 12));
    auto outbox = Outbox::open(folder_ / "outbox.db", {}, kClock);
    ASSERT_TRUE(outbox) << outbox.error().message;
    std::map<std::string, std::vector<std::string>> expected;
    std::map<std::string, std::vector<std::string>> found;
    std::map<std::string, std::uint64_t> tallies;
    for (std::size_t i = 0; i < kSources.size(); ++i) {
      const auto position = (*outbox)->position(kSources[i]);
      ASSERT_TRUE(position) << position.error().message;
      const std::uint64_t last = *position ? (*position)->number : 0;
      // One more may be there: acknowledged, but killed before it could tell.
      ASSERT_GE(last, acknowledged_[i]);
      ASSERT_LE(last, acknowledged_[i] + 1);
      for (std::uint64_t frame = 1; frame <= last; ++frame) {
        for (const Parcel& parcel : decided(kSources[i], frame)) {
          for (const std::string& receiver : parcel.receivers) expected[receiver].push_back(parcel.id);
        }
        for (const Tally& tally : counted(kSources[i], frame)) tallies[key_of(tally)] += tally.count;
      }
    }
    const auto kept = (*outbox)->tallies(kMostDays);
    ASSERT_TRUE(kept) << kept.error().message;
    std::map<std::string, std::uint64_t> kept_by_key;
    for (const Tally& tally : *kept) kept_by_key[key_of(tally)] = tally.count;
    EXPECT_EQ(kept_by_key, tallies);
    for (const auto& [receiver, ids] : expected) {
      EXPECT_EQ((*outbox)->states()->at(receiver == "a" ? 0 : 1).waiting, ids.size());
    }
    if (kill + 1 < kKills) continue;
    for (auto& [receiver, ids] : expected) {
      while (const auto next = *(*outbox)->first(receiver)) {
        found[receiver].push_back(next->id);
        ASSERT_TRUE((*outbox)->delivered(receiver, next->number));
      }
      std::ranges::sort(ids);
      std::ranges::sort(found[receiver]);
    }
    EXPECT_EQ(found, expected);
    EXPECT_GT(expected["a"].size(), 20U);
  }
}

}  // namespace
}  // namespace bascule::journal

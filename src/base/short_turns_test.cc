#include "base/short_turns.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <latch>
#include <map>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "base/executor.h"

namespace bascule {
namespace {

constexpr auto kLongest = std::chrono::seconds(20);

// How often each of the threads has woken up, by the core that it is bound to.
std::map<std::string, long> wakes() {
  std::map<std::string, long> out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string cores;
    std::string word;
    bool ours = false;
    while (status >> word) {
      if (word == "Name:") ours = status >> word && word.starts_with("turns-");
      if (word == "Cpus_allowed_list:") status >> cores;
      if (word == "voluntary_ctxt_switches:" && ours) status >> out[cores];
    }
  }
  return out;
}

std::size_t cores() {
  cpu_set_t mine;
  return sched_getaffinity(0, sizeof(mine), &mine) == 0 ? static_cast<std::size_t>(CPU_COUNT(&mine)) : 0;
}

template <class Done>
bool before_long(Done done) {
  const auto end = std::chrono::steady_clock::now() + kLongest;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// Keeps them until each core's thread has woken up some times more than `before`.
bool all_wake(ShortTurns& turns, const std::map<std::string, long>& before) {
  return before_long([&] {
    turns.keep();
    const auto now = wakes();
    if (now.size() != cores()) return false;
    for (const auto& [core, times] : now) {
      if (times < (before.contains(core) ? before.at(core) : 0) + 5) return false;
    }
    return true;
  });
}

// For longer than they are kept, so that one that was only late is not taken for one that rests.
bool all_rest() {
  return before_long([] {
    const auto before = wakes();
    SteadyClock clock;
    const TimePoint end = clock.now() + std::chrono::milliseconds(100);
    while (clock.now() < end) std::this_thread::yield();
    return wakes() == before;
  });
}

TEST(ShortTurns, HasNoThreadsBeforeAllThatCanComputeDoes) {
  ShortTurns turns;
  turns.keep();
  EXPECT_TRUE(wakes().empty());
  turns.set_full(true);
  EXPECT_TRUE(wakes().empty());
}

TEST(ShortTurns, OnEachCoreAThreadWakesUpWhileThereIsBriefWork) {
  {
    ShortTurns turns;
    turns.set_full(true);
    EXPECT_TRUE(all_wake(turns, {}));
    EXPECT_TRUE(all_rest());
    // And again.
    EXPECT_TRUE(all_wake(turns, wakes()));
    EXPECT_TRUE(all_rest());
    turns.set_full(false);
    const auto before = wakes();
    turns.keep();
    EXPECT_TRUE(all_rest());
    EXPECT_EQ(wakes(), before);
  }
  EXPECT_TRUE(wakes().empty());
}

// Whether `brief`, done while all threads of the pool are busy, has brought up ours.
bool kept(const ThreadPoolOptions& options, void (*brief)(ThreadPool& pool)) {
  std::latch busy(static_cast<std::ptrdiff_t>(options.threads));
  std::latch release(1);
  const bool expected = options.computes && options.threads >= cores();
  ThreadPool pool(options);
  for (std::size_t i = 0; i < options.threads; ++i) {
    EXPECT_TRUE(pool.post([&] {
      busy.count_down();
      release.wait();
    }));
  }
  busy.wait();
  brief(pool);
  const bool out = expected ? before_long([] { return wakes().size() == cores(); }) : !wakes().empty();
  release.count_down();
  return out;
}

TEST(ShortTurns, AreKeptByBriefWorkWhereThreadsThatComputeFillTheCores) {
  const auto here = [](ThreadPool& pool) { pool.brief_here(); };
  const auto posted = [](ThreadPool& pool) { EXPECT_TRUE(pool.post_brief([] {})); };
  EXPECT_TRUE(kept({.threads = cores(), .brief = true, .computes = true}, here));
  EXPECT_TRUE(kept({.threads = cores(), .brief = true, .computes = true}, posted));
  EXPECT_FALSE(kept({.threads = cores(), .brief = true}, here));
  EXPECT_FALSE(kept({.threads = cores(), .brief = true}, posted));
  if (cores() == 1) return;
  EXPECT_FALSE(kept({.threads = cores() - 1, .brief = true, .computes = true}, here));
  EXPECT_FALSE(kept({.threads = cores() - 1, .brief = true, .computes = true}, posted));
}

TEST(ShortTurns, AreNotKeptByAThreadThatComputes) {
  std::latch busy(static_cast<std::ptrdiff_t>(cores()));
  std::latch done(1);
  std::atomic<bool> first = true;
  ThreadPool pool({.threads = cores(), .brief = true, .computes = true});
  for (std::size_t i = 0; i < cores(); ++i) {
    ASSERT_TRUE(pool.post([&] {
      busy.arrive_and_wait();
      if (first.exchange(false)) {
        pool.brief_here();
        EXPECT_TRUE(wakes().empty());
        done.count_down();
      }
      done.wait();
    }));
  }
  done.wait();
}

}  // namespace
}  // namespace bascule

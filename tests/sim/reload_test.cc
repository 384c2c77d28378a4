// A whole server without sockets whose models come and go while it is asked: reloads, loads that fail or take
// long, unloads, files that change and vanish, a memory budget. What must hold is checked while it runs and
// at the end: every request has one answer, from a model that was current between its sending and its answer;
// a load that fails leaves what serves; memory stays within the budget and one load; what serves no more is
// freed by the loader once its last request has its answer.

#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "reload_world.h"

namespace bascule::sim {
namespace {

using catalog::Sabotage;

constexpr std::uint64_t kSeeds = 1500;

TEST(ReloadSimulation, NothingIsLostWhileModelsComeAndGo) {
  Seen all;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    ReloadSimulation simulation(seed, Sabotage::kNone);
    ASSERT_EQ(simulation.run(), "") << "seed " << seed;
    const Seen& seen = simulation.seen();
    all.reloads += seen.reloads;
    all.failures += seen.failures;
    all.evictions += seen.evictions;
    all.waited += seen.waited;
    all.freed += seen.freed;
    all.codes.insert(seen.codes.begin(), seen.codes.end());
  }
  fmt::print("{} reloads, {} failed loads, {} evictions, {} requests waited for a load, {} freed\n",
             all.reloads, all.failures, all.evictions, all.waited, all.freed);
  // What it is about did happen.
  EXPECT_GT(all.reloads, kSeeds);
  EXPECT_GT(all.failures, kSeeds / 2);
  EXPECT_GT(all.evictions, kSeeds);
  EXPECT_GT(all.waited, kSeeds);
  EXPECT_EQ(all.codes, (std::set<Code>{Code::kNotFound, Code::kFailedPrecondition, Code::kResourceExhausted,
                                       Code::kDeadlineExceeded, Code::kCancelled, Code::kUnavailable}));
}

// The simulation is worth something only if it finds bugs.
TEST(ReloadSimulation, FindsEverySeededBug) {
  for (int bug = 1; bug <= static_cast<int>(catalog::kLastSabotage); ++bug) {
    std::uint64_t seed = 1;
    std::string found;
    for (; seed <= kSeeds && found.empty(); ++seed) {
      found = ReloadSimulation(seed, static_cast<Sabotage>(bug)).run();
    }
    EXPECT_NE(found, "") << "bug " << bug;
    fmt::print("bug {:2}: seed {:4}: {}\n", bug, seed - 1, found);
  }
}

}  // namespace
}  // namespace bascule::sim

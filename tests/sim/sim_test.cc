#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "simulation.h"

namespace bascule::sim {
namespace {

using batching::Sabotage;

constexpr std::uint64_t kSeeds = 1000;

TEST(Simulation, EveryRequestIsAnsweredOnceAndRightly) {
  std::size_t shared_runs = 0;
  std::size_t padded_runs = 0;
  std::size_t overtakes = 0;
  std::set<Code> codes;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation simulation(seed, Sabotage::kNone);
    ASSERT_EQ(simulation.run(), "") << "seed " << seed;
    shared_runs += simulation.shared_runs();
    padded_runs += simulation.padded_runs();
    overtakes += simulation.overtakes();
    codes.insert(simulation.codes().begin(), simulation.codes().end());
  }
  // What it is about did happen.
  EXPECT_GT(shared_runs, kSeeds);
  EXPECT_GT(padded_runs, kSeeds);
  EXPECT_GT(overtakes, kSeeds);
  EXPECT_EQ(codes, (std::set<Code>{Code::kDeadlineExceeded, Code::kCancelled, Code::kResourceExhausted,
                                   Code::kInvalidArgument, Code::kInternal}));
}

// The simulation is worth something only if it finds bugs.
TEST(Simulation, FindsEverySeededBug) {
  for (int bug = 1; bug <= static_cast<int>(batching::kLastSabotage); ++bug) {
    std::uint64_t seed = 1;
    std::string found;
    for (; seed <= kSeeds && found.empty(); ++seed) {
      found = Simulation(seed, static_cast<Sabotage>(bug)).run();
    }
    EXPECT_NE(found, "") << "bug " << bug;
    fmt::print("bug {:2}: seed {:4}: {}\n", bug, seed - 1, found);
  }
}

}  // namespace
}  // namespace bascule::sim

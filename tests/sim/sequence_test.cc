#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sequence_world.h"

namespace bascule::sim {
namespace {

using serving::SequenceSabotage;

constexpr std::uint64_t kSeeds = 1000;

TEST(SequenceSimulation, SequencesAreKeptInOrderAndApart) {
  std::size_t shared_runs = 0;
  std::size_t steps_run = 0;
  std::size_t waits = 0;
  std::size_t stale = 0;
  std::set<Code> codes;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SequenceWorld world(seed, SequenceSabotage::kNone);
    ASSERT_EQ(world.run(), "") << "seed " << seed;
    shared_runs += world.shared_runs();
    steps_run += world.steps_run();
    waits += world.waits_for_a_slot();
    stale += world.stale();
    codes.insert(world.codes().begin(), world.codes().end());
  }
  // What it is about did happen.
  EXPECT_GT(shared_runs, kSeeds / 2);
  EXPECT_GT(steps_run, kSeeds * 10);
  EXPECT_GT(waits, kSeeds / 2);
  EXPECT_GT(stale, kSeeds / 10);
  EXPECT_EQ(codes, (std::set<Code>{Code::kDeadlineExceeded, Code::kCancelled, Code::kResourceExhausted,
                                   Code::kInvalidArgument, Code::kInternal}));
}

// The simulation is worth something only if it finds bugs.
TEST(SequenceSimulation, FindsEverySeededBug) {
  for (int bug = 1; bug <= static_cast<int>(serving::kLastSequenceSabotage); ++bug) {
    std::uint64_t seed = 1;
    std::string found;
    for (; seed <= kSeeds && found.empty(); ++seed) {
      found = SequenceWorld(seed, static_cast<SequenceSabotage>(bug)).run();
    }
    EXPECT_NE(found, "") << "bug " << bug;
    fmt::print("bug {:2}: seed {:4}: {}\n", bug, seed - 1, found);
  }
}

}  // namespace
}  // namespace bascule::sim

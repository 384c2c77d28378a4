#include "base/core_spread.h"

#include <sched.h>

#include <future>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace bascule {
namespace {

std::vector<int> allowed() {
  cpu_set_t set;
  std::vector<int> out;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return out;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) out.push_back(core);
  }
  return out;
}

void run_on(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

// Thread 0 computes on this core, bound to it, for as long as this lives.
class Computing {
 public:
  Computing(CoreSpread& spread, int core)
      : thread_([this, &spread, core] {
          run_on({core});
          spread.begin(0);
          began_.set_value();
          over_.get_future().wait();
          spread.end(0);
        }) {
    began_.get_future().wait();
  }
  ~Computing() { over_.set_value(); }

 private:
  std::promise<void> began_;
  std::promise<void> over_;
  std::jthread thread_;
};

// Thread 1 begins on `core`, bound to it, and is there still.
void expect_stays(CoreSpread& spread, int core) {
  std::jthread([&] {
    run_on({core});
    spread.begin(1);
    EXPECT_EQ(sched_getcpu(), core);
    EXPECT_EQ(allowed(), std::vector<int>{core});
    spread.end(1);
  }).join();
}

TEST(CoreSpreadTest, AThreadLeavesTheCoreOfAnotherAndIsBoundToNone) {
  const std::vector<int> cores = allowed();
  if (cores.size() < 2) GTEST_SKIP() << "needs two cores";
  CoreSpread spread(2);
  const Computing other(spread, cores[0]);
  std::jthread([&] {
    run_on({cores[0]});
    run_on(cores);  // it is still there
    spread.begin(1);
    EXPECT_NE(sched_getcpu(), cores[0]);
    EXPECT_EQ(allowed(), cores);
    spread.end(1);
  }).join();
}

TEST(CoreSpreadTest, AThreadThatMayUseNoOtherCoreStays) {
  const int core = allowed().front();
  CoreSpread spread(2);
  const Computing other(spread, core);
  expect_stays(spread, core);
}

TEST(CoreSpreadTest, ACoreIsFreeOnceItsThreadComputesNoMore) {
  const std::vector<int> cores = allowed();
  if (cores.size() < 2) GTEST_SKIP() << "needs two cores";
  CoreSpread spread(3);
  const Computing other(spread, cores[0]);
  run_on({cores[1]});
  spread.begin(2);
  spread.end(2);  // this thread stays, on its core
  std::jthread([&] {
    run_on({cores[0]});
    run_on({cores[0], cores[1]});
    spread.begin(1);
    EXPECT_EQ(sched_getcpu(), cores[1]);
    spread.end(1);
  }).join();
  run_on(cores);
}

TEST(CoreSpreadTest, WhereAThreadIsNowCounts) {
  const std::vector<int> cores = allowed();
  if (cores.size() < 2) GTEST_SKIP() << "needs two cores";
  CoreSpread spread(2);
  std::promise<void> moved;
  std::promise<void> over;
  std::jthread other([&] {
    run_on({cores[0]});
    spread.begin(0);
    run_on({cores[1]});  // as the system may have it
    moved.set_value();
    over.get_future().wait();
    spread.end(0);
  });
  moved.get_future().wait();
  std::jthread([&] {
    run_on({cores[1]});
    run_on({cores[0], cores[1]});
    spread.begin(1);
    EXPECT_EQ(sched_getcpu(), cores[0]);
    spread.end(1);
  }).join();
  over.set_value();
}

}  // namespace
}  // namespace bascule

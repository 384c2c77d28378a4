#include "base/fair_share.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "base/executor.h"

namespace bascule {
namespace {

void stay_on(int core) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
}

void compute_until(const std::atomic<bool>& end) {
  while (!end) {
  }
}

// What a thread that computes has of a core on which another answers without a pause for so long: its part of
// what both had, whatever else the machine does.
double share_beside_answers(bool gives_way, Duration length) {
  const int core = sched_getcpu();
  std::promise<Duration> computed;
  std::promise<void> began;
  std::atomic<bool> end = false;
  Duration answered{};
  {
    ThreadPool pool({.threads = 1, .computes = true});
    EXPECT_TRUE(pool.post([&] {
      stay_on(core);
      const ThreadTimeClock used;
      const TimePoint start = used.now();
      began.set_value();
      compute_until(end);
      computed.set_value(used.now() - start);
    }));
    began.get_future().wait();
    std::jthread answers([&] {
      stay_on(core);
      const ThreadTimeClock used;
      const TimePoint ends = SteadyClock().now() + length;
      const TimePoint start = used.now();
      while (SteadyClock().now() < ends) {
        if (gives_way) pool.give_way();
      }
      answered = used.now() - start;
      end = true;
    });
  }
  const double mine = to_seconds(computed.get_future().get());
  return mine / (mine + to_seconds(answered));
}

TEST(FairShare, ThreadsThatAnswerPauseForThoseThatHadNextToNothing) {
  const double with = share_beside_answers(true, std::chrono::milliseconds(500));
  const double without = share_beside_answers(false, std::chrono::milliseconds(500));
  EXPECT_GT(with, 0.15);
  EXPECT_GT(with, 1.3 * without);
}

TEST(FairShare, NobodyPausesWhereNothingIsComputed) {
  const auto pauses = [] {
    rusage used{};
    getrusage(RUSAGE_THREAD, &used);
    return used.ru_nvcsw;
  };
  ThreadPool pool({.threads = 1, .computes = true});
  const ThreadTimeClock used;
  const TimePoint start = used.now();
  const auto before = pauses();
  while (used.now() - start < std::chrono::milliseconds(100)) pool.give_way();
  EXPECT_LE(pauses() - before, 1) << "a lock may have been taken for a moment";
}

}  // namespace
}  // namespace bascule

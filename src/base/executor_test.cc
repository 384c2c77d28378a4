#include "base/executor.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/mutex.h"

namespace bascule {
namespace {

TEST(ThreadPool, RunsEverythingThatWasAcceptedBeforeItsDestructorReturns) {
  std::atomic<int> ran = 0;
  {
    ThreadPool pool({.threads = 3});
    EXPECT_EQ(pool.width(), 3U);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(pool.post([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 1000);
}

TEST(ThreadPool, RefusesBeyondItsBoundAndDropsThatWorkUnrun) {
  std::latch started(1);
  std::latch release(1);
  std::atomic<int> ran = 0;
  const auto token = std::make_shared<int>(0);
  {
    ThreadPool pool({.threads = 1, .max_queue = 2});
    ASSERT_TRUE(pool.post([&] {
      started.count_down();
      release.wait();
    }));
    started.wait();
    ASSERT_TRUE(pool.post([&] { ++ran; }));
    ASSERT_TRUE(pool.post([&] { ++ran; }));
    const Result<void> refused = pool.post([&ran, token] { ran += 100; });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
    EXPECT_EQ(refused.error().reason, Reason::kQueueFull);
    EXPECT_NE(refused.error().message.find("holds 2"), std::string::npos);
    EXPECT_EQ(token.use_count(), 1);
    release.count_down();
  }
  EXPECT_EQ(ran, 2);
}

TEST(ThreadPool, TakesWorkAgainOnceTheQueueHasRoom) {
  ThreadPool pool({.threads = 1, .max_queue = 1});
  for (int i = 0; i < 100; ++i) {
    std::promise<void> done;
    ASSERT_TRUE(pool.post([&] { done.set_value(); }));
    done.get_future().wait();
  }
}

TEST(ThreadPool, RefusesWorkThatItsOwnWorkPostsWhileStopping) {
  std::latch started(1);
  std::latch release(1);
  std::optional<Result<void>> late;
  auto pool = std::make_unique<ThreadPool>(ThreadPoolOptions{.threads = 1});
  ThreadPool* inside = pool.get();
  ASSERT_TRUE(pool->post([&] {
    started.count_down();
    release.wait();
    // Until the destructor has said so, the pool takes work; then it refuses.
    do {
      late = inside->post([] {});
    } while (late->has_value() || late->error().code == Code::kResourceExhausted);
  }));
  started.wait();
  release.count_down();
  pool.reset();
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->error().code, Code::kUnavailable);
}

TEST(ThreadPool, RunsAsManyPiecesAtOnceAsItIsWide) {
  std::latch all(4);  // passes only when four pieces wait at the same time
  {
    ThreadPool pool({.threads = 4});
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(pool.post([&] { all.arrive_and_wait(); }));
  }
  EXPECT_TRUE(all.try_wait());
}

// What runs now, and the most tokens that ever were in use.
struct InUse {
  void begin(std::size_t cost) {
    const std::size_t now = tokens += cost;
    std::size_t before = most;
    while (before < now && !most.compare_exchange_weak(before, now)) {
    }
  }
  void end(std::size_t cost) { tokens -= cost; }
  std::atomic<std::size_t> tokens = 0;
  std::atomic<std::size_t> most = 0;
};

TEST(ThreadPool, NeverHasMoreTokensInUseThanItIsWide) {
  InUse in_use;
  std::atomic<int> ran = 0;
  {
    ThreadPool pool({.threads = 4});
    for (std::size_t i = 0; i < 3000; ++i) {
      const std::size_t cost = 1 + i * 7 % 4;
      ASSERT_TRUE(pool.post(
          [&, cost] {
            in_use.begin(cost);
            std::this_thread::yield();
            in_use.end(cost);
            ++ran;
          },
          cost));
    }
  }
  EXPECT_EQ(ran, 3000);
  EXPECT_LE(in_use.most, 4U);
  EXPECT_GT(in_use.most, 1U);
}

TEST(ThreadPool, WhatNeedsMoreTokensThanThereAreTakesAll) {
  ThreadPool pool({.threads = 2});
  std::promise<void> done;
  ASSERT_TRUE(pool.post([&] { done.set_value(); }, 100));
  done.get_future().wait();
}

TEST(ThreadPool, NothingOvertakesWideWork) {
  std::latch started(1);
  std::latch release(1);
  Guarded<std::vector<int>> order;
  {
    ThreadPool pool({.threads = 2});
    const auto note = [&](int number) {
      return [&order, number] { order.with([&](auto& all) { all.push_back(number); }); };
    };
    ASSERT_TRUE(pool.post([&] {
      started.count_down();
      release.wait();
    }));
    started.wait();
    ASSERT_TRUE(pool.post(note(1), 2));  // waits for the one that runs, though a thread is idle
    for (int i = 2; i < 20; ++i) ASSERT_TRUE(pool.post(note(i)));
    release.count_down();
  }
  const auto all = std::as_const(order).with([](const auto& done) { return done; });
  ASSERT_EQ(all.size(), 19U);
  EXPECT_EQ(all[0], 1);
}

TEST(ThreadPool, AllOfItIsUsedAgainAfterWideWork) {
  std::latch started(1);
  std::latch release(1);
  std::latch all(4);  // passes only when four pieces run at the same time
  {
    ThreadPool pool({.threads = 4});
    ASSERT_TRUE(pool.post(
        [&] {
          started.count_down();
          release.wait();
        },
        4));
    started.wait();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(pool.post([&] { all.arrive_and_wait(); }));
    release.count_down();
    all.wait();  // not the destructor's doing
  }
}

// All tokens of a pool, until `give_back`.
class Taken {
 public:
  explicit Taken(ThreadPool& pool) {
    for (std::size_t i = 0; i < pool.width(); ++i) {
      EXPECT_TRUE(pool.post([state = state_] {
        state->started.release();
        state->release.wait();
      }));
    }
    for (std::size_t i = 0; i < pool.width(); ++i) state_->started.acquire();
  }
  void give_back() { state_->release.count_down(); }

 private:
  struct State {
    std::counting_semaphore<> started{0};
    std::latch release{1};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();  // the workers', too, who may be the last
};

TEST(ThreadPool, BriefWorkBeginsWhileAllTokensAreTaken) {
  ThreadPool pool({.threads = 2, .brief = true});
  Taken taken(pool);
  std::atomic<int> long_ran = 0;
  ASSERT_TRUE(pool.post([&] { ++long_ran; }));
  for (int i = 0; i < 100; ++i) {
    std::promise<void> done;
    ASSERT_TRUE(pool.post_brief([&] { done.set_value(); }));
    done.get_future().wait();  // passes only because it does not wait for those that hold the tokens
  }
  EXPECT_EQ(long_ran, 0);
  taken.give_back();
  pool.drain();
  EXPECT_EQ(long_ran, 1);
}

TEST(ThreadPool, BriefWorkRunsInItsOrderOneAtATimeBeyondTheTokens) {
  ThreadPool pool({.threads = 1, .brief = true});
  Taken taken(pool);
  Guarded<std::vector<int>> order;
  InUse in_use;
  std::promise<void> done;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(pool.post_brief([&, i] {
      in_use.begin(1);
      order.with([&](auto& all) { all.push_back(i); });
      std::this_thread::yield();
      in_use.end(1);
      if (i == 199) done.set_value();
    }));
  }
  done.get_future().wait();
  EXPECT_EQ(in_use.most, 1U);
  EXPECT_TRUE(std::ranges::is_sorted(order.with([](auto& all) { return all; })));
  taken.give_back();
}

TEST(ThreadPool, BriefWorkThatBriefWorkPostsLastIsItsOwnNext) {
  ThreadPool pool({.threads = 1, .brief = true});
  std::set<std::thread::id> threads;
  int left = 100;
  std::promise<void> done;
  std::function<void()> next = [&] {
    threads.insert(std::this_thread::get_id());
    if (--left == 0) return done.set_value();
    EXPECT_TRUE(pool.post_brief(next));
  };
  {
    Taken taken(pool);
    ASSERT_TRUE(pool.post_brief(next));
    done.get_future().wait();
    taken.give_back();
  }
  EXPECT_EQ(threads.size(), 1U);
}

// Where a worker would run it, it would have the little that what computes has.
TEST(ThreadPool, BriefWorkGoesToItsOwnThreadWhileThatIsIdle) {
  ThreadPool pool({.threads = 2, .brief = true});
  int on_its_own = 0;  // a busy machine may not have let it wait again
  for (int i = 0; i < 100; ++i) {
    std::promise<std::string> ran;
    ASSERT_TRUE(pool.post_brief([&] {
      std::array<char, 32> buffer{};
      pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
      ran.set_value(buffer.data());
    }));
    on_its_own += ran.get_future().get() == "worker-brief";
    for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();  // it waits again
  }
  EXPECT_GE(on_its_own, 50);
}

TEST(ThreadPool, BriefWorkDoesNotWaitBehindWideWork) {
  ThreadPool pool({.threads = 2, .brief = true});
  std::latch started(1);
  std::latch release(1);
  std::atomic<bool> wide = false;
  ASSERT_TRUE(pool.post([&] {
    started.count_down();
    release.wait();
  }));
  started.wait();
  ASSERT_TRUE(pool.post([&] { wide = true; }, 2));
  std::promise<void> done;
  ASSERT_TRUE(pool.post_brief([&] { done.set_value(); }));
  done.get_future().wait();
  EXPECT_FALSE(wide);
  release.count_down();
}

TEST(ThreadPool, WithoutAThreadForItBriefWorkWaitsLikeAnyOther) {
  ThreadPool pool({.threads = 1});
  Guarded<std::vector<int>> order;
  const auto note = [&](int number) {
    return [&order, number] { order.with([&](auto& all) { all.push_back(number); }); };
  };
  {
    Taken taken(pool);
    ASSERT_TRUE(pool.post(note(1)));
    ASSERT_TRUE(pool.post_brief(note(2)));
    ASSERT_TRUE(pool.post(note(3)));
    EXPECT_TRUE(order.with([](auto& all) { return all.empty(); }));
    taken.give_back();
    pool.drain();
  }
  EXPECT_EQ(order.with([](auto& all) { return all; }), (std::vector<int>{1, 2, 3}));
}

TEST(ThreadPool, BriefWorkCountsForTheBoundOfTheQueue) {
  ThreadPool pool({.threads = 1, .max_queue = 2, .brief = true});
  Taken taken(pool);
  std::latch begun(1);
  std::latch go_on(1);
  ASSERT_TRUE(pool.post_brief([&] {
    begun.count_down();
    go_on.wait();
  }));
  begun.wait();
  ASSERT_TRUE(pool.post_brief([] {}));
  ASSERT_TRUE(pool.post([] {}));
  EXPECT_EQ(pool.post_brief([] {}).error().reason, Reason::kQueueFull);
  EXPECT_EQ(pool.post([] {}).error().reason, Reason::kQueueFull);
  go_on.count_down();
  taken.give_back();
}

// 2,000 pieces of work, two thirds of them brief, the others of 1 to 3 tokens; another third for each `kind`.
void post_a_mixture(ThreadPool& pool, std::size_t kind, InUse& in_use, std::atomic<int>& ran) {
  for (std::size_t i = 0; i < 2000; ++i) {
    const bool brief = (i + kind) % 3 != 0;
    const std::size_t cost = brief ? 1 : 1 + i % 3;
    Executor::Work work = [&, cost] {
      in_use.begin(cost);
      std::this_thread::yield();
      in_use.end(cost);
      ++ran;
    };
    EXPECT_TRUE(brief ? pool.post_brief(std::move(work)) : pool.post(std::move(work), cost));
  }
}

// Of many threads posting both kinds: nothing is lost, and no more runs at once than the tokens and one.
TEST(ThreadPool, AMixtureOfBothIsRunWithinTheTokensAndOne) {
  InUse in_use;
  std::atomic<int> ran = 0;
  {
    ThreadPool pool({.threads = 3, .max_queue = 100'000, .brief = true});
    std::vector<std::jthread> posting;
    for (std::size_t thread = 0; thread < 4; ++thread) {
      posting.emplace_back([&, thread] { post_a_mixture(pool, thread, in_use, ran); });
    }
  }
  EXPECT_EQ(ran, 8000);
  EXPECT_LE(in_use.most, 4U);
}

// Asks from work of its own, once all of the pool is idle, so long that the answer has to be true in the end.
// How often it was asked; 0: it never was true.
std::size_t ask_for_more(ThreadPool& pool, std::size_t more, std::size_t most) {
  for (std::size_t asked = 1; asked <= most; ++asked) {
    std::promise<bool> taken;
    EXPECT_TRUE(pool.post([&] {
      const bool taken_now = pool.try_take(more);
      if (taken_now) pool.give_back(more);
      taken.set_value(taken_now);
    }));
    if (taken.get_future().get()) return asked;
  }
  return 0;
}

TEST(ThreadPool, WhatRunsAloneMayTakeTheOtherTokensInTheEnd) {
  ThreadPool pool({.threads = 3});
  EXPECT_GE(ask_for_more(pool, 2, 100'000), ThreadPool::kLone);
  EXPECT_EQ(ask_for_more(pool, 3, 100), 0U) << "more than there are";
}

TEST(ThreadPool, NobodyTakesTokensBesideWorkThatRunsOrWaits) {
  ThreadPool pool({.threads = 2});
  std::latch started(1);
  std::latch release(1);
  ASSERT_TRUE(pool.post([&] {
    started.count_down();
    release.wait();
  }));
  started.wait();
  EXPECT_EQ(ask_for_more(pool, 1, 100), 0U);
  std::atomic<int> taken = 0;
  std::latch asked(1);
  ASSERT_TRUE(pool.post([&] {
    // One more waits, since both tokens are taken.
    EXPECT_TRUE(pool.post([] {}));
    for (int i = 0; i < 100; ++i) taken += pool.try_take(1) ? 1 : 0;
    asked.count_down();
  }));
  asked.wait();
  EXPECT_EQ(taken, 0);
  release.count_down();
}

TEST(ThreadPool, WorkThatComesWhileAllTokensAreTakenRunsOnceTheyAreBackAndEndsIt) {
  ThreadPool pool({.threads = 2});
  ASSERT_GT(ask_for_more(pool, 1, 100'000), 0U);
  std::atomic<int> ran = 0;
  std::promise<bool> again;
  while (true) {
    std::promise<bool> taken;
    ASSERT_TRUE(pool.post([&] {
      const bool took = pool.try_take(1);
      taken.set_value(took);
      if (!took) return;
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(pool.post([&ran] { ++ran; }));
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      EXPECT_EQ(ran, 0) << "beside all tokens";
      pool.give_back(1);
      while (ran < 3) std::this_thread::yield();  // on the other thread, all of them
      again.set_value(pool.try_take(1));
    }));
    if (taken.get_future().get()) break;
  }
  EXPECT_FALSE(again.get_future().get()) << "something was in its way just now";
}

TEST(ThreadPool, HasAtLeastOneThread) {
  ThreadPool pool({.threads = 0});
  EXPECT_EQ(pool.width(), 1U);
  std::promise<void> done;
  ASSERT_TRUE(pool.post([&] { done.set_value(); }));
  done.get_future().wait();
}

TEST(ThreadPool, NamesItsThreads) {
  ThreadPool pool({.name = "a-rather-long-name", .threads = 1});
  std::promise<std::string> name;
  ASSERT_TRUE(pool.post([&] {
    std::array<char, 32> buffer{};
    pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
    name.set_value(buffer.data());
  }));
  EXPECT_EQ(name.get_future().get(), "a-rather-long-n");
}

TEST(Guarded, LetsOneThreadInAtATime) {
  Guarded<int> counter(0);
  {
    ThreadPool pool({.threads = 4});
    for (int i = 0; i < 400; ++i) {
      ASSERT_TRUE(pool.post([&] { counter.with([](int& value) { ++value; }); }));
    }
  }
  EXPECT_EQ(std::as_const(counter).with([](const int& value) { return value; }), 400);
}

// Linux has a nice value for each thread; the others of the process keep theirs.
TEST(ThreadPool, ThreadsThatComputeLetOthersGoFirst) {
  const int mine = getpriority(PRIO_PROCESS, 0);
  std::promise<int> worker;
  std::promise<int> brief;
  {
    std::promise<void> ran_brief;  // outlives the threads
    ThreadPool pool({.threads = 1, .brief = true, .computes = true});
    ASSERT_TRUE(pool.post([&] {
      worker.set_value(getpriority(PRIO_PROCESS, 0));
      ran_brief.get_future().wait();  // no token is free: the thread for brief work takes what comes
    }));
    ASSERT_TRUE(worker.get_future().get() > mine || mine >= 19);
    ASSERT_TRUE(pool.post_brief([&] {
      brief.set_value(getpriority(PRIO_PROCESS, 0));
      ran_brief.set_value();
    }));
  }
  EXPECT_EQ(brief.get_future().get(), mine);
  EXPECT_EQ(getpriority(PRIO_PROCESS, 0), mine);
}

}  // namespace
}  // namespace bascule

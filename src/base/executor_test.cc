#include "base/executor.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
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

}  // namespace
}  // namespace bascule

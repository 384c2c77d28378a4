#include "base/executor.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <string>
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

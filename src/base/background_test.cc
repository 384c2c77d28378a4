#include "base/background.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <future>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace bascule {
namespace {

struct Share {
  int policy = -1;
  int nice = 0;
  std::thread::id thread;
};

Share own_share() {
  return {.policy = sched_getscheduler(0),
          .nice = getpriority(PRIO_PROCESS, 0),
          .thread = std::this_thread::get_id()};
}

Share share_of_work(BackgroundExecutor& executor) {
  std::promise<Share> promise;
  EXPECT_TRUE(executor.post([&] { promise.set_value(own_share()); }));
  return promise.get_future().get();
}

TEST(Background, IsLikeAnyOtherUntilItYields) {
  BackgroundExecutor executor("background", 4);
  EXPECT_EQ(share_of_work(executor).policy, own_share().policy);
  EXPECT_EQ(share_of_work(executor).nice, own_share().nice);
}

TEST(Background, HasLittleOnceItYieldsAndItsMakerWhatItHad) {
  const Share before = own_share();
  BackgroundExecutor executor("background", 4);
  executor.yield();
  for (int i = 0; i < 3; ++i) {
    const Share share = share_of_work(executor);
    EXPECT_NE(share.thread, before.thread);
    EXPECT_TRUE(share.policy == SCHED_IDLE || share.nice >= std::max(before.nice, 10));
  }
  EXPECT_EQ(own_share().policy, before.policy);
  EXPECT_EQ(own_share().nice, before.nice);
}

TEST(Background, WorksInOrderAndOneAtATime) {
  BackgroundExecutor executor("background", 100);
  executor.yield();
  int at_work = 0;  // no lock: the sanitizer would tell
  int done = 0;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(executor.post([&, i] {
      EXPECT_EQ(++at_work, 1);
      EXPECT_EQ(done++, i);
      --at_work;
    }));
  }
  executor.drain();
  EXPECT_EQ(done, 50);
}

TEST(Background, DestroysItsWorkWhereItRan) {
  BackgroundExecutor executor("background", 4);
  executor.yield();
  std::thread::id ran;
  std::thread::id destroyed;
  std::shared_ptr<void> held(nullptr, [&](void*) { destroyed = std::this_thread::get_id(); });
  ASSERT_TRUE(executor.post([&ran, held = std::move(held)] { ran = std::this_thread::get_id(); }));
  executor.drain();
  EXPECT_EQ(destroyed, ran);
}

TEST(Background, RefusesWhatIsTooMuchAndWhatComesTooLate) {
  BackgroundExecutor executor("background", 1);
  std::promise<void> begun;
  std::promise<void> end;
  ASSERT_TRUE(executor.post([&] {
    begun.set_value();
    end.get_future().wait();
  }));
  begun.get_future().wait();
  ASSERT_TRUE(executor.post([] {}));
  const auto refused = executor.post([] {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  end.set_value();
  executor.drain();
  EXPECT_EQ(executor.post([] {}).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace bascule

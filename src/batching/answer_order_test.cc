#include "batching/answer_order.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace bascule::batching {
namespace {

TEST(AnswerOrder, KeepsWhatComesEarlyUntilItsTurn) {
  AnswerOrder order;
  std::vector<int> left;
  const auto deliver = [&](int number) {
    order.deliver(static_cast<std::uint64_t>(number), [&left, number] { left.push_back(number); });
  };
  deliver(3);
  deliver(2);
  EXPECT_TRUE(left.empty());
  deliver(1);
  EXPECT_EQ(left, (std::vector<int>{1, 2, 3}));
  deliver(5);
  deliver(4);
  EXPECT_EQ(left, (std::vector<int>{1, 2, 3, 4, 5}));
}

TEST(AnswerOrder, AnAnswerMayBringTheNext) {
  AnswerOrder order;
  std::vector<int> left;
  order.deliver(1, [&] {
    order.deliver(2, [&] { left.push_back(2); });
    left.push_back(1);
  });
  EXPECT_EQ(left, (std::vector<int>{1, 2}));
}

TEST(AnswerOrder, HoldsFromManyThreads) {
  constexpr std::uint64_t kAnswers = 2000;
  AnswerOrder order;
  std::vector<std::uint64_t> left;  // without a lock: never two at the same time
  std::atomic<std::uint64_t> next = 1;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (std::uint64_t number = next++; number <= kAnswers; number = next++) {
          order.deliver(number, [&left, number] { left.push_back(number); });
        }
      });
    }
  }
  ASSERT_EQ(left.size(), kAnswers);
  for (std::uint64_t i = 0; i < kAnswers; ++i) ASSERT_EQ(left[i], i + 1);
}

}  // namespace
}  // namespace bascule::batching

#include "batching/batcher.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/stepped.h"

namespace bascule::batching {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Noted final : Item {
  explicit Noted(int name, std::vector<int>& list) : number_given(name), refused(list) {}
  void refuse(Error why) override {
    EXPECT_EQ(why.reason, Reason::kQueueFull);
    refused.push_back(number_given);
  }
  int number_given;
  std::vector<int>& refused;
};

// What more there is to say of a batcher, tests/sim says.
class Queue : public testing::Test {
 protected:
  void make(std::size_t instances, AdmissionLimits limits, Duration expected_run = {}) {
    batcher_ = std::make_shared<Batcher>(BatcherOptions{.model = "m",
                                                        .instances = instances,
                                                        .policy = {},
                                                        .limits = limits,
                                                        .expected_run = expected_run,
                                                        .brief_run = std::chrono::milliseconds(5)},
                                         Driver{.executor = executor_, .timer = timer_, .clock = clock_},
                                         [this](const Batch& batch) {
                                           clock_.time += takes_;
                                           for (const auto& item : batch)
                                             ran_.push_back(static_cast<const Noted&>(*item).number_given);
                                           return as_usual_;
                                         });
  }
  void submit(int first, int last) {
    for (int i = first; i <= last; ++i) batcher_->submit(std::make_unique<Noted>(i, refused_));
  }

  StepExecutor executor_;
  HeldTimer timer_;
  HeldClock clock_;
  Duration takes_{};  // a run
  bool as_usual_ = true;
  std::vector<int> ran_;
  std::vector<int> refused_;
  std::shared_ptr<Batcher> batcher_;
};

TEST_F(Queue, WhoHasAnInstanceDoesNotFillIt) {
  make(1, {.max_queue_size = 1});
  submit(1, 3);  // the first will run at once, the second waits, there is no place for the third
  EXPECT_THAT(refused_, ElementsAre(3));
  executor_.run();
  EXPECT_THAT(ran_, ElementsAre(1, 2));
}

TEST_F(Queue, RunsThatTookLessThanUsualTeachNothing) {
  make(1, {.queue_budget = std::chrono::milliseconds(100)}, std::chrono::milliseconds(50));
  takes_ = std::chrono::milliseconds(1);
  as_usual_ = false;
  for (int i = 1; i <= 200; ++i) {
    submit(i, i);
    executor_.run();
  }
  submit(201, 206);  // one runs at once, two fit into the budget beside what they are taken to cost
  const std::size_t refused = refused_.size();
  EXPECT_GT(refused, 0U) << "as if runs took a millisecond";
  executor_.run();
  as_usual_ = true;
  for (int i = 301; i <= 500; ++i) {
    submit(i, i);
    executor_.run();
  }
  submit(501, 506);
  EXPECT_EQ(refused_.size(), refused) << "now they are known to";
  executor_.run();
}

TEST_F(Queue, EveryIdleInstanceTakesOne) {
  make(3, {.max_queue_size = 2});
  submit(1, 6);
  EXPECT_THAT(refused_, ElementsAre(6));
  executor_.run();
  EXPECT_THAT(ran_, ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(Queue, OneMayWaitForARunThatHasNotBegunHoweverLongItIs) {
  make(1, {.max_queue_size = 10}, std::chrono::seconds(5));
  submit(1, 3);
  EXPECT_THAT(refused_, ElementsAre(3));
  executor_.run();
  EXPECT_THAT(ran_, ElementsAre(1, 2));
}

TEST_F(Queue, WouldRefuseWhomItRefuses) {
  make(1, {.max_queue_size = 1});
  EXPECT_FALSE(batcher_->would_refuse());
  submit(1, 1);
  EXPECT_FALSE(batcher_->would_refuse());
  submit(2, 2);
  EXPECT_TRUE(batcher_->would_refuse());
  executor_.run();
  EXPECT_FALSE(batcher_->would_refuse());
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(Queue, RunsAreBriefWorkAsLongAsTheyAreKnownToBeBrief) {
  make(1, {}, std::chrono::microseconds(100));
  const auto brief_of = [this](int runs) {
    const std::size_t before = executor_.brief;
    for (int i = 0; i < runs; ++i) {
      submit(1, 1);
      clock_.time += std::chrono::seconds(1);  // the wait for the executor says nothing of the run
      executor_.run();
    }
    return executor_.brief - before;
  };
  takes_ = std::chrono::microseconds(300);
  EXPECT_EQ(brief_of(10), 10U);
  takes_ = std::chrono::milliseconds(60);
  EXPECT_LE(brief_of(10), 3U);
  EXPECT_EQ(brief_of(10), 0U);
  takes_ = std::chrono::microseconds(300);
  EXPECT_GT(brief_of(200), 50U);
}

TEST_F(Queue, WhatWasNotMeasuredYetIsNotBrief) {
  make(1, {});
  takes_ = std::chrono::microseconds(300);
  submit(1, 1);
  EXPECT_EQ(executor_.brief, 0U);
  executor_.run();
  submit(2, 2);
  EXPECT_EQ(executor_.brief, 1U);
  executor_.run();
}

}  // namespace
}  // namespace bascule::batching

#include "serving/sequences.h"

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::serving {
namespace {

using content::SequenceId;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HeldClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time = TimePoint{} + std::chrono::hours(1);
};

class HeldTimer final : public Timer {
 public:
  void call_at(TimePoint when, Work work) override { calls.emplace(when, std::move(work)); }
  std::multimap<TimePoint, Work> calls;
};

// A request that notes what becomes of it.
class Note final : public batching::Item {
 public:
  Note(std::string called, std::map<std::string, Error>& refused)
      : name(std::move(called)), refused_(refused) {}
  void refuse(Error why) override {
    refused_.emplace(name, std::move(why));
    if (done) done(false);
  }
  std::string name;
  Sequences::Done done;
  std::shared_ptr<SequenceMemory> memory;

 private:
  std::map<std::string, Error>& refused_;
};

struct Flags {
  bool start = false;
  bool end = false;
};
constexpr Flags kStart{.start = true};
constexpr Flags kEnd{.end = true};
constexpr Flags kMiddle{};
constexpr Flags kWhole{.start = true, .end = true};

class SequencesTest : public testing::Test {
 protected:
  // Requests are called by their sequence and a number: "1.2".
  void ask(std::uint64_t id, int number, Flags flags, std::optional<Duration> within = {}) {
    ask(SequenceId(id), fmt::format("{}.{}", id, number), flags, within);
  }
  void ask(const SequenceId& id, std::string name, Flags flags, std::optional<Duration> within = {}) {
    auto note = std::make_unique<Note>(name, refused_);
    if (within) note->deadline = clock_.time + *within;
    note->cancelled = cancelled_[name] = std::make_shared<std::atomic<bool>>(false);
    sequences_->submit(std::move(note), {.id = id, .start = flags.start, .end = flags.end}, limits_);
  }
  void cancel(const std::string& name) { *cancelled_[name] = true; }
  // The model answers it.
  void answer(const std::string& name) {
    const auto found = sent_.find(name);
    ASSERT_NE(found, sent_.end()) << name << " was not sent on";
    auto note = std::move(found->second);
    sent_.erase(found);
    note->done(true);
  }
  void refuse(const std::string& name) {
    const auto found = sent_.find(name);
    ASSERT_NE(found, sent_.end()) << name << " was not sent on";
    auto note = std::move(found->second);
    sent_.erase(found);
    note->refuse({.code = Code::kDeadlineExceeded, .message = "Too late."});
  }
  // Those under way.
  [[nodiscard]] std::vector<std::string> sent() const {
    std::vector<std::string> names;
    for (const auto& [name, note] : sent_) names.push_back(name);
    return names;
  }
  void pass(Duration time) {
    clock_.time += time;
    while (!timer_.calls.empty() && timer_.calls.begin()->first <= clock_.time) {
      auto call = timer_.calls.extract(timer_.calls.begin());
      call.mapped()();
    }
  }
  [[nodiscard]] std::string why(const std::string& name) const {
    const auto found = refused_.find(name);
    return found != refused_.end() ? found->second.message : "it was not refused";
  }

  HeldClock clock_;
  HeldTimer timer_;
  SequenceLimits limits_{.slots = 2, .max_idle = milliseconds(100), .max_waiting = 4};
  bool busy_ = false;  // the queue behind refuses
  std::map<std::string, Error> refused_;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> cancelled_;
  std::map<std::string, std::unique_ptr<Note>> sent_;
  std::shared_ptr<Sequences> sequences_ = std::make_shared<Sequences>(
      "m", timer_, clock_,
      [this](std::unique_ptr<batching::Item> item, std::shared_ptr<SequenceMemory> memory,
             Sequences::Done done) {
        std::unique_ptr<Note> note(static_cast<Note*>(item.release()));
        note->done = std::move(done);
        note->memory = std::move(memory);
        if (busy_) return note->refuse({.code = Code::kResourceExhausted, .message = "Full."});
        std::string name = note->name;
        sent_.emplace(std::move(name), std::move(note));
      });
};

TEST_F(SequencesTest, RequestsOfOneGoOneAtATimeInTheirOrder) {
  ask(1, 1, kStart);
  ask(1, 2, kMiddle);
  ask(1, 3, kEnd);
  EXPECT_THAT(sent(), ElementsAre("1.1"));
  EXPECT_EQ(sequences_->waiting(), 2U);
  answer("1.1");
  EXPECT_THAT(sent(), ElementsAre("1.2"));
  answer("1.2");
  answer("1.3");
  EXPECT_EQ(sequences_->waiting(), 0U);
  EXPECT_EQ(sequences_->known(), 0U);
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(SequencesTest, SeveralAreUnderWayAtOnce) {
  ask(1, 1, kStart);
  ask(2, 1, kStart);
  ask(1, 2, kMiddle);
  EXPECT_THAT(sent(), ElementsAre("1.1", "2.1"));
  answer("1.1");
  EXPECT_THAT(sent(), ElementsAre("1.2", "2.1"));
}

TEST_F(SequencesTest, ANumberAndTheSameTextAreTwo) {
  ask(1, 1, kStart);
  ask(SequenceId("1"), "text", kStart);
  EXPECT_THAT(sent(), ElementsAre("1.1", "text"));
}

TEST_F(SequencesTest, TheFirstRequestNeedsAStart) {
  ask(42, 1, kMiddle);
  EXPECT_THAT(why("42.1"), HasSubstr("Inference request for sequence 42 to model 'm' must specify the START "
                                     "flag on the first request of the sequence"));
  EXPECT_EQ(refused_.at("42.1").code, Code::kInvalidArgument);
  ask(SequenceId("a\nb"), "text", kEnd);
  EXPECT_THAT(why("text"), HasSubstr("sequence a\\nb"));
  ask(1, 1, kWhole);
  ask(1, 2, kMiddle);  // behind an END that has not been answered
  EXPECT_THAT(why("1.2"), HasSubstr("must specify the START flag"));
  answer("1.1");
  ask(1, 3, kMiddle);
  EXPECT_THAT(why("1.3"), HasSubstr("must specify the START flag"));
  EXPECT_EQ(sequences_->known(), 0U);
}

TEST_F(SequencesTest, ARequestNamesItsSequence) {
  ask(std::uint64_t{0}, 1, kStart);
  ask(SequenceId(""), "empty", kStart);
  EXPECT_THAT(why("0.1"), HasSubstr("'m' must specify a non-zero or non-empty sequence id"));
  EXPECT_EQ(why("empty"), why("0.1"));
}

TEST_F(SequencesTest, AStartInTheMiddleBeginsAnew) {
  ask(1, 1, kStart);
  ask(1, 2, kStart);
  ask(1, 3, kEnd);
  answer("1.1");
  answer("1.2");
  answer("1.3");
  EXPECT_THAT(refused_, IsEmpty());
  EXPECT_EQ(sequences_->known(), 0U);
}

TEST_F(SequencesTest, WaitForASlotUntilOneEnds) {
  ask(1, 1, kStart);
  ask(2, 1, kStart);
  ask(3, 1, kStart);
  ask(3, 2, kEnd);
  ask(4, 1, kWhole);
  EXPECT_THAT(sent(), ElementsAre("1.1", "2.1"));
  answer("1.1");
  EXPECT_THAT(sent(), ElementsAre("2.1"));  // 1 keeps its slot
  ask(1, 2, kEnd);
  answer("1.2");
  EXPECT_THAT(sent(), ElementsAre("2.1", "3.1"));
  answer("3.1");
  answer("3.2");
  EXPECT_THAT(sent(), ElementsAre("2.1", "4.1"));
}

TEST_F(SequencesTest, OneThatBeginsAgainWaitsBehindThoseWithoutASlot) {
  limits_.slots = 1;
  ask(1, 1, kWhole);
  ask(2, 1, kWhole);
  ask(1, 2, kWhole);
  answer("1.1");
  EXPECT_THAT(sent(), ElementsAre("2.1"));
  answer("2.1");
  EXPECT_THAT(sent(), ElementsAre("1.2"));
  answer("1.2");
  EXPECT_EQ(sequences_->known(), 0U);
}

TEST_F(SequencesTest, IdleOnesAreGivenUpAndTheirSlotsTaken) {
  limits_.slots = 1;
  ask(1, 1, kStart);
  ask(2, 1, kStart);
  pass(milliseconds(500));  // 1 is busy, not idle
  EXPECT_THAT(sent(), ElementsAre("1.1"));
  answer("1.1");
  pass(milliseconds(99));
  EXPECT_THAT(sent(), IsEmpty());
  pass(milliseconds(1));
  EXPECT_THAT(sent(), ElementsAre("2.1"));
  ask(1, 2, kMiddle);
  EXPECT_THAT(why("1.2"), HasSubstr("idle for 0.1 s"));
}

TEST_F(SequencesTest, ARequestKeepsOneFromBeingIdle) {
  ask(1, 1, kStart);
  answer("1.1");
  for (int i = 2; i < 6; ++i) {
    pass(milliseconds(60));
    ask(1, i, kMiddle);
    answer(fmt::format("1.{}", i));
  }
  EXPECT_THAT(refused_, IsEmpty());
  pass(milliseconds(100));
  EXPECT_EQ(sequences_->known(), 0U);
}

TEST_F(SequencesTest, AreRefusedWhereTooManyWait) {
  ask(1, 1, kStart);
  for (int i = 2; i < 6; ++i) ask(1, i, kMiddle);
  ask(1, 6, kMiddle);
  EXPECT_EQ(refused_.at("1.6").code, Code::kResourceExhausted);
  EXPECT_EQ(refused_.at("1.6").reason, Reason::kQueueFull);
  EXPECT_GT(refused_.at("1.6").fields.retry_after, Duration{});
  EXPECT_THAT(why("1.6"),
              HasSubstr("4 requests wait in the sequences of model 'm'; the limit is 4 requests"));
  ask(2, 1, kStart);  // waits for nothing
  EXPECT_THAT(sent(), ElementsAre("1.1", "2.1"));
  ask(3, 1, kStart);
  EXPECT_EQ(refused_.at("3.1").reason, Reason::kQueueFull);
  cancel("1.3");
  pass(milliseconds(5));
  ask(1, 7, kEnd);
  EXPECT_EQ(refused_.at("1.3").code, Code::kCancelled);
  EXPECT_FALSE(refused_.contains("1.7"));
}

TEST_F(SequencesTest, DeadlinesEndTheWait) {
  limits_ = {.slots = 1, .max_idle = milliseconds(100), .max_waiting = 5};
  ask(1, 1, kStart);
  ask(1, 2, kMiddle, milliseconds(10));
  ask(1, 3, kMiddle);
  ask(2, 1, kStart, milliseconds(10));
  ask(2, 2, kMiddle);
  ask(2, 3, kWhole);
  pass(milliseconds(10));
  EXPECT_EQ(refused_.at("1.2").code, Code::kDeadlineExceeded);
  EXPECT_EQ(refused_.at("2.1").code, Code::kDeadlineExceeded);
  EXPECT_THAT(why("2.2"), HasSubstr("must specify the START flag"));
  EXPECT_EQ(refused_.size(), 3U);
  answer("1.1");
  EXPECT_THAT(sent(), ElementsAre("1.3"));  // goes on without it
  ask(1, 4, kEnd);
  answer("1.3");
  answer("1.4");
  EXPECT_THAT(sent(), ElementsAre("2.3"));
}

TEST_F(SequencesTest, WhoHasGoneIsNotRun) {
  ask(1, 1, kStart);
  ask(1, 2, kMiddle);
  ask(1, 3, kEnd);
  cancel("1.2");
  answer("1.1");
  EXPECT_EQ(refused_.at("1.2").code, Code::kCancelled);
  EXPECT_THAT(sent(), ElementsAre("1.3"));
}

TEST_F(SequencesTest, AStartThatWasNotRunEndsTheSequence) {
  limits_.slots = 1;
  ask(1, 1, kStart);
  ask(1, 2, kMiddle);
  ask(2, 1, kWhole);
  ask(1, 3, kStart);
  refuse("1.1");
  EXPECT_THAT(why("1.2"), HasSubstr("the one that had it was not run"));
  EXPECT_THAT(sent(), ElementsAre("2.1"));
  answer("2.1");
  EXPECT_THAT(sent(), ElementsAre("1.3"));
  refuse("1.3");
  EXPECT_EQ(sequences_->known(), 0U);
}

TEST_F(SequencesTest, AnEndThatWasNotRunMayComeAgain) {
  ask(1, 1, kStart);
  answer("1.1");
  ask(1, 2, kEnd);
  refuse("1.2");
  ask(1, 3, kEnd);
  answer("1.3");
  EXPECT_EQ(sequences_->known(), 0U);
  EXPECT_EQ(refused_.size(), 1U);
}

TEST_F(SequencesTest, AStartThatIsDroppedWhileItWaitsEndsTheOldOne) {
  ask(1, 1, kStart);
  ask(1, 2, kStart, milliseconds(10));
  ask(1, 3, kMiddle);
  pass(milliseconds(10));
  EXPECT_EQ(refused_.size(), 2U);
  ask(1, 4, kMiddle);
  EXPECT_THAT(why("1.4"), HasSubstr("START"));
  answer("1.1");
  EXPECT_EQ(sequences_->known(), 0U);
}

// However many are refused at once, none of it is recursion.
TEST_F(SequencesTest, AQueueThatRefusesAllIsNoTrouble) {
  limits_ = {.slots = 1, .max_idle = milliseconds(100), .max_waiting = 0};
  ask(1, 1, kStart);
  constexpr int kMany = 50'000;
  for (int i = 0; i < kMany; ++i) ask(SequenceId(fmt::format("s{}", i)), fmt::format("s{}", i), kStart);
  busy_ = true;
  ask(1, 2, kEnd);
  answer("1.1");
  EXPECT_EQ(refused_.at("1.2").code, Code::kResourceExhausted);
  pass(milliseconds(100));
  EXPECT_EQ(refused_.size(), kMany + 1U);
  EXPECT_EQ(sequences_->known(), 0U);
}

TEST_F(SequencesTest, WhatWaitsIsRefusedWhenTheServerGoes) {
  ask(1, 1, kStart);
  ask(1, 2, kMiddle);
  sequences_.reset();
  EXPECT_EQ(refused_.at("1.2").code, Code::kUnavailable);
  answer("1.1");
}

TEST_F(SequencesTest, TheTimerIsAskedNowAndThenOnly) {
  ask(1, 1, kStart);
  answer("1.1");
  for (int i = 2; i < 1000; ++i) {
    ask(1, i, kMiddle, milliseconds(10));
    answer(fmt::format("1.{}", i));
  }
  EXPECT_EQ(timer_.calls.size(), 1U);
}

TEST_F(SequencesTest, KeepWhatTheModelLeftUntilTheirEndWasRun) {
  limits_.keeps_state = true;
  ask(1, 1, kStart);
  const std::weak_ptr<SequenceMemory> memory = sent_.at("1.1")->memory;
  ASSERT_FALSE(memory.expired());
  answer("1.1");
  ask(1, 2, kEnd);
  EXPECT_EQ(sent_.at("1.2")->memory, memory.lock());
  refuse("1.2");  // an END that was not run ends nothing
  ask(1, 3, kMiddle);
  EXPECT_EQ(sent_.at("1.3")->memory, memory.lock());
  answer("1.3");
  ask(1, 4, kEnd);
  answer("1.4");
  EXPECT_TRUE(memory.expired());
  ask(1, 5, kStart);
  const std::weak_ptr<SequenceMemory> anew = sent_.at("1.5")->memory;
  ASSERT_FALSE(anew.expired());
  answer("1.5");
  pass(milliseconds(100));
  EXPECT_TRUE(anew.expired()) << "it was idle for too long";
}

}  // namespace
}  // namespace bascule::serving

#include "applications/delivery.h"

#include <sys/mount.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;

const SteadyClock kClock;

Error unavailable(const std::string& message) { return {.code = Code::kUnavailable, .message = message}; }

// What a sink was given, and what it says.
// Thread-safety: thread-safe.
class Script {
 public:
  // Answers of the next deliveries; behind them, success.
  explicit Script(std::deque<Result<void>> answers = {}) : answers_(std::move(answers)) {}

  Result<void> take(const Event& event) {
    MutexLock lock(mutex_);
    seen_.push_back(event.id);
    if (event.picture != nullptr) ++pictures_;
    wake_.notify_all();
    if (answers_.empty()) return {};
    Result<void> answer = answers_.front();
    if (answers_.size() > 1 || !forever_) answers_.pop_front();
    return answer;
  }
  void idle() {
    MutexLock lock(mutex_);
    ++idle_;
    wake_.notify_all();
  }
  // The last answer of the script goes on, until it is let go.
  void set_forever(bool forever) {
    MutexLock lock(mutex_);
    forever_ = forever;
    if (!forever) answers_.clear();
  }
  // Waits until it was given so many; what it was given.
  std::vector<std::string> wait_for(std::size_t count) {
    MutexLock lock(mutex_);
    wake_.wait_for(mutex_, seconds(30), [&]() BASCULE_REQUIRES(mutex_) { return seen_.size() >= count; });
    return seen_;
  }
  bool wait_for_idle() {
    MutexLock lock(mutex_);
    return wake_.wait_for(mutex_, seconds(30), [&]() BASCULE_REQUIRES(mutex_) { return idle_ > 0; });
  }
  int pictures() {
    MutexLock lock(mutex_);
    return pictures_;
  }

 private:
  Mutex mutex_;
  ConditionVariable wake_;
  std::deque<Result<void>> answers_ BASCULE_GUARDED_BY(mutex_);
  std::vector<std::string> seen_ BASCULE_GUARDED_BY(mutex_);
  bool forever_ BASCULE_GUARDED_BY(mutex_) = false;
  int pictures_ BASCULE_GUARDED_BY(mutex_) = 0;
  int idle_ BASCULE_GUARDED_BY(mutex_) = 0;
};

// Thread-safety: external (one thread at a time).
class ScriptedSink final : public Sink {
 public:
  explicit ScriptedSink(Script& script) : script_(script) {}
  Result<void> deliver(const Event& event, const std::function<bool()>& /*stop*/) override {
    return script_.take(event);
  }
  void idle() override { script_.idle(); }

 private:
  Script& script_;
};

// Waits for its receiver until it is told to stop.
// Thread-safety: external (one thread at a time).
class StuckSink final : public Sink {
 public:
  explicit StuckSink(Script& script) : script_(script) {}
  Result<void> deliver(const Event& event, const std::function<bool()>& stop) override {
    (void)script_.take(event);
    while (!stop()) {
    }
    return unavailable("told to stop");
  }

 private:
  Script& script_;
};

class DeliveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("delivery-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    reopen();
  }
  void TearDown() override {
    outbox_.reset();
    std::filesystem::remove_all(folder_);
  }
  void reopen(const journal::OutboxOptions& options = {}) {
    outbox_.reset();
    auto opened = journal::Outbox::open(folder_ / "outbox.db", options, kClock);
    ASSERT_TRUE(opened) << opened.error().message;
    outbox_ = *std::move(opened);
  }

  static Addressed event(const std::string& id, std::vector<std::string> sinks = {"a"}) {
    return {.event = {.id = id, .app = "line-3", .json = "{}"}, .sinks = std::move(sinks)};
  }
  static Result<journal::PutResult> put(Delivery& delivery, const Addressed& one) {
    return delivery.put(std::span(&one, 1));
  }
  template <class S = ScriptedSink>
  static NamedSink sink(const std::string& name, Script& script) {
    return {.name = name, .sink = std::make_unique<S>(script)};
  }
  template <class... Sinks>
  std::unique_ptr<Delivery> deliver(DeliveryOptions options, Sinks... sinks) {
    std::vector<NamedSink> all;
    (all.push_back(std::move(sinks)), ...);
    return std::make_unique<Delivery>(*outbox_, std::move(all), std::move(options), kClock);
  }
  static DeliveryOptions quick() {
    return {.app = "line-3", .back_off = {.first = milliseconds(1), .longest = milliseconds(4)}};
  }
  // Waits until the sinks have nothing to do any more.
  void drain(Delivery& delivery) {
    const TimePoint end = kClock.now() + seconds(30);
    while (outbox_->bytes() > 0 && kClock.now() < end) outbox_->wait(outbox_->arrivals(), milliseconds(2));
    const auto states = delivery.states();
    ASSERT_TRUE(states) << states.error().message;
    for (const SinkState& state : *states) EXPECT_EQ(state.waiting, 0U);
  }

  // And until they have counted it.
  void finish(Delivery& delivery) {
    drain(delivery);
    delivery.stop();
  }

  std::filesystem::path folder_;
  std::unique_ptr<journal::Outbox> outbox_;
};

TEST_F(DeliveryTest, BringsEachSinkItsEventsInOrder) {
  Script a;
  Script b;
  auto delivery = deliver(quick(), sink("a", a), sink("b", b));
  std::vector<Addressed> events{event("1", {"a", "b"}), event("2", {"b"}), event("3", {"a"})};
  events[0].event.picture = std::make_shared<const std::vector<std::byte>>(9);
  const auto result = delivery->put(events, journal::Position{.source = "s", .number = 1});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(a.wait_for(2), ElementsAre("1", "3"));
  EXPECT_THAT(b.wait_for(2), ElementsAre("1", "2"));
  EXPECT_EQ(a.pictures(), 1);
  finish(*delivery);
  const auto states = delivery->states();
  ASSERT_TRUE(states);
  EXPECT_EQ(states->at(0).name, "a");
  EXPECT_EQ(states->at(0).delivered, 2U);
  EXPECT_EQ(states->at(1).delivered, 2U);
  EXPECT_EQ((*outbox_->position("s"))->number, 1U);
}

TEST_F(DeliveryTest, TriesAgainUntilTheReceiverTakesIt) {
  testing::internal::CaptureStderr();
  Script a({unavailable("'h' takes no connection."), unavailable("still not"), unavailable("still not")});
  Script other;
  auto delivery = deliver(quick(), sink("a", a), sink("b", other));
  const std::vector<Addressed> events{event("1"), event("2"), event("3", {"b"})};
  ASSERT_TRUE(delivery->put(events));
  EXPECT_THAT(a.wait_for(5), ElementsAre("1", "1", "1", "1", "2"));
  EXPECT_THAT(other.wait_for(1), ElementsAre("3"));
  finish(*delivery);
  const auto states = delivery->states();
  EXPECT_EQ(states->at(0).failed, 3U);
  EXPECT_EQ(states->at(0).delivered, 2U);
  EXPECT_EQ(states->at(0).last_error, "");
  delivery.reset();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("event 1 waits"));
  EXPECT_THAT(log, HasSubstr("takes events again"));
}

TEST_F(DeliveryTest, SendsAgainWhatWasRefused) {
  testing::internal::CaptureStderr();
  Script a({invalid_argument("no"), invalid_argument("no")});
  auto delivery = deliver(quick(), sink("a", a));
  const std::vector<Addressed> events{event("1"), event("2"), event("3")};
  ASSERT_TRUE(delivery->put(events));
  EXPECT_THAT(a.wait_for(3), ElementsAre("1", "2", "3"));
  const TimePoint end = kClock.now() + seconds(30);
  while (delivery->states()->at(0).delivered < 1 && kClock.now() < end)
    outbox_->wait(outbox_->arrivals(), milliseconds(2));
  EXPECT_EQ(delivery->states()->at(0).aside, 2U);
  EXPECT_EQ(*delivery->send_again(), 2U);
  EXPECT_THAT(a.wait_for(5), ElementsAre("1", "2", "3", "1", "2"));
  EXPECT_EQ(*delivery->send_again(), 0U);
  finish(*delivery);
  EXPECT_EQ(delivery->states()->at(0).aside, 0U);
  testing::internal::GetCapturedStderr();
}

// Waiting for room would be waiting for ever.
TEST_F(DeliveryTest, LeavesPicturesOutThatNeverFit) {
  testing::internal::CaptureStderr();
  reopen({.max_bytes = 3000});
  Script a;
  auto delivery = deliver(quick(), sink("a", a));
  std::vector<Addressed> events{event("1"), event("2")};
  for (Addressed& one : events) one.event.picture = std::make_shared<const std::vector<std::byte>>(2000);
  ASSERT_TRUE(delivery->put(events));
  ASSERT_TRUE(put(*delivery, events[0]));  // known already
  events[0].event.id = "3";
  EXPECT_THAT(a.wait_for(2), ElementsAre("1", "2"));
  drain(*delivery);
  ASSERT_TRUE(put(*delivery, events[0]));
  EXPECT_THAT(a.wait_for(3), ElementsAre("1", "2", "3"));
  finish(*delivery);
  EXPECT_EQ(a.pictures(), 1);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("events go without their picture: The 2 events"));
}

TEST_F(DeliveryTest, MovesAsideWhatIsRefusedForGoodAndGoesOn) {
  testing::internal::CaptureStderr();
  Script a({invalid_argument("'h' answers with status 404.")});
  auto delivery = deliver(quick(), sink("a", a));
  const std::vector<Addressed> events{event("1"), event("2")};
  ASSERT_TRUE(delivery->put(events));
  EXPECT_THAT(a.wait_for(2), ElementsAre("1", "2"));
  EXPECT_EQ(outbox_->aside("a")->at(0).why, "'h' answers with status 404.");
  EXPECT_EQ(*outbox_->try_again("a"), 1U);
  EXPECT_THAT(a.wait_for(3), ElementsAre("1", "2", "1"));
  finish(*delivery);
  EXPECT_EQ(delivery->states()->at(0).refused, 1U);
  EXPECT_EQ(delivery->states()->at(0).delivered, 2U);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("moved aside"));
}

TEST_F(DeliveryTest, WaitsAsLongAsTheReceiverAsks) {
  Error busy = unavailable("busy");
  busy.fields.retry_after = milliseconds(300);
  Script a({busy});
  auto delivery = deliver(quick(), sink("a", a));
  ASSERT_TRUE(put(*delivery, event("1")));
  (void)a.wait_for(1);
  const TimePoint first = kClock.now();
  (void)a.wait_for(2);
  EXPECT_THAT(kClock.now() - first, Ge(Duration(milliseconds(250))));
}

TEST_F(DeliveryTest, StopsAtOnceAndGoesOnInTheNextRun) {
  Script stuck;
  Script failing({unavailable("away")});
  failing.set_forever(true);
  auto delivery = deliver({.app = "line-3", .back_off = {.first = hours(1), .longest = hours(1)}},
                          sink<StuckSink>("a", stuck), sink("b", failing));
  ASSERT_TRUE(put(*delivery, event("1", {"a", "b"})));
  (void)stuck.wait_for(1);
  (void)failing.wait_for(1);
  const TimePoint before = kClock.now();
  delivery.reset();
  EXPECT_LT(kClock.now() - before, Duration(seconds(5)));
  reopen();
  Script a;
  Script b;
  delivery = deliver(quick(), sink("a", a), sink("b", b));
  EXPECT_THAT(a.wait_for(1), ElementsAre("1"));
  EXPECT_THAT(b.wait_for(1), ElementsAre("1"));
}

// The disk is so full that the outbox cannot even be told what was delivered: the receiver is not asked
// again and again.
TEST_F(DeliveryTest, DoesNotRepeatItselfWhileTheOutboxCannotWrite) {
  const std::filesystem::path disk = folder_ / "disk";
  std::filesystem::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "A small disk can be made by root only.";
  }
  auto opened = journal::Outbox::open(disk / "outbox.db", {}, kClock);
  ASSERT_TRUE(opened) << opened.error().message;
  outbox_ = *std::move(opened);
  const Addressed one = event("1");
  {
    const auto nobody = deliver(quick());
    ASSERT_TRUE(put(*nobody, one));
  }
  {
    std::ofstream ballast(disk / "ballast");
    while (ballast << std::string(4096, 'x') && ballast.flush()) {
    }
  }
  testing::internal::CaptureStderr();
  Script a;
  auto delivery = deliver(quick(), sink("a", a));
  (void)a.wait_for(1);
  // Many turns of the sink's thread.
  const TimePoint end = kClock.now() + milliseconds(100);
  while (kClock.now() < end) outbox_->wait(outbox_->arrivals(), milliseconds(5));
  const bool was_full = !outbox_->put({}, journal::Position{.source = "s", .number = 1});
  std::filesystem::remove(disk / "ballast");
  finish(*delivery);
  EXPECT_TRUE(was_full);
  EXPECT_THAT(a.wait_for(1), ElementsAre("1"));
  EXPECT_EQ(delivery->states()->at(0).delivered, 1U);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("disk is full"));
  delivery.reset();
  outbox_.reset();
  ::umount2(disk.c_str(), MNT_DETACH);
}

TEST_F(DeliveryTest, KeepsConnectionsAliveWhileNothingHappens) {
  Script a;
  auto delivery = deliver({.app = "line-3", .idle_every = milliseconds(5)}, sink("a", a));
  EXPECT_TRUE(a.wait_for_idle());
}

TEST_F(DeliveryTest, GivesUpWhatIsTooOldWhileTheReceiverIsAway) {
  testing::internal::CaptureStderr();
  reopen({.max_age = milliseconds(50)});
  Script a({unavailable("away")});
  a.set_forever(true);
  DeliveryOptions options = quick();
  options.idle_every = milliseconds(5);
  auto delivery = deliver(options, sink("a", a));
  ASSERT_TRUE(put(*delivery, event("1")));
  drain(*delivery);
  EXPECT_EQ(delivery->states()->at(0).dropped, 1U);
  a.set_forever(false);
  ASSERT_TRUE(put(*delivery, event("2")));
  drain(*delivery);
  EXPECT_EQ(a.wait_for(1).back(), "2");
  delivery.reset();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("dropped 1 deliveries"));
}

TEST_F(DeliveryTest, WarnsOfSinksThatAreNoLongerThere) {
  {
    const auto nobody = deliver(quick());
    ASSERT_TRUE(put(*nobody, event("1", {"renamed"})));
  }
  testing::internal::CaptureStderr();
  Script a;
  const auto delivery = deliver(quick(), sink("a", a));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("1 events wait for 'renamed'"));
}

}  // namespace
}  // namespace bascule::applications

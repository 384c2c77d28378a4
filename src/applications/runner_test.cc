#include "applications/runner.h"

#include <deque>
#include <future>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "applications/pause.h"
#include "applications/service.h"
#include "image/encode.h"

namespace bascule::applications {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

content::EncodedPicture picture() {
  static const auto bytes = [] {
    image::Bitmap bitmap{.height = 8, .width = 16};
    bitmap.pixels.assign(bitmap.row_bytes() * 8, 40);
    return std::make_shared<const std::vector<std::byte>>(*image::encode_png(bitmap));
  }();
  return {.bytes = *bytes, .owner = bytes, .name = {}};
}

// Frames up to a number, then the end.
// Thread-safety: as Source.
class CountingSource final : public Source {
 public:
  CountingSource(std::uint64_t after, std::uint64_t last, bool live, bool labelled)
      : number_(after), last_(last), live_(live), labelled_(labelled) {}
  Result<std::optional<Frame>> next(const Stop& stop) override {
    if (stop()) return stopped();
    if (number_ >= last_) {
      state_.with([](SourceState& s) { s.status = SourceStatus::kEnded; });
      return std::optional<Frame>();
    }
    state_.with([](SourceState& s) { ++s.frames; });
    Frame frame{.picture = picture(), .source = "count", .number = ++number_, .time_ms = 7};
    if (labelled_) frame.labelled = content::Detections{.picture = {.height = 8, .width = 16}};
    return std::optional(std::move(frame));
  }
  [[nodiscard]] SourceState state() const override {
    return state_.with([](const auto& s) { return s; });
  }
  [[nodiscard]] bool live() const override { return live_; }

 private:
  std::uint64_t number_;
  const std::uint64_t last_;
  const bool live_;
  const bool labelled_;
  Guarded<SourceState> state_;
};

// An application that has an event for every third frame.
class RunnerTest : public testing::Test {
 protected:
  RunnerParts parts() {
    return {
        .position = [this]() -> Result<std::uint64_t> { return position_.load(); },
        .open = [this](std::uint64_t after) -> Result<std::unique_ptr<Source>> {
          if (no_source_) return not_found("There is no such thing.");
          return std::unique_ptr<Source>(std::make_unique<CountingSource>(after, last_, live_, labelled_));
        },
        .infer = [this](const Frame& frame, const Stop& stop) { return infer(frame, stop); },
        .judge =
            [](const Frame& frame, content::Detections found, const content::ClassNames&) {
              Decision decision{.shown = std::move(found)};
              decision.scene = std::make_shared<const std::string>(R"({"frame":1})");
              if (frame.number % 3 == 0) {
                decision.events.push_back({.event = {.id = "e" + std::to_string(frame.number),
                                                     .rule = "third",
                                                     .frame = frame.number,
                                                     .json = R"({"id":1})"}});
              }
              return Result<Decision>(std::move(decision));
            },
        .keep = [this](const Frame& frame, const std::vector<Addressed>& events) -> Result<void> {
          if (full_ > 0) {
            --full_;
            return Error{.code = Code::kResourceExhausted, .message = "The disk is full."};
          }
          for (const Addressed& one : events) kept_.push_back(one.event.id);
          pictures_ += static_cast<int>(!events.empty() && events[0].event.picture != nullptr);
          position_ = frame.number;
          return {};
        }};
  }
  Result<Inferred> infer(const Frame& frame, const Stop& stop) {
    ++asked_;
    if (frame.number == bad_) return invalid_argument("This is no picture.", Reason::kBadPicture);
    if (busy_ > 0) {
      --busy_;
      return Error{
          .code = Code::kResourceExhausted, .message = "The queue is full.", .reason = Reason::kQueueFull};
    }
    while (hold_ && !stop()) pause(std::chrono::milliseconds(1), clock_, stop);
    return Inferred{.found = {.picture = {.height = 8, .width = 16}}};
  }
  std::unique_ptr<Runner> make(bool pictures = false) {
    return std::make_unique<Runner>(
        RunnerOptions{
            .app = "line",
            .pictures = pictures,
            .stuck_after = std::chrono::milliseconds(20),
            .back_off = {.first = std::chrono::milliseconds(1), .longest = std::chrono::milliseconds(2)}},
        parts(), [this](const Event& event) { published_.push_back(event.id); }, clock_);
  }
  // Looks until it holds, for at most ten seconds.
  template <class Holds>
  static bool becomes(Holds holds) {
    const SteadyClock clock;
    const TimePoint end = clock.now() + std::chrono::seconds(10);
    bool held = false;
    pause(std::chrono::seconds(10), clock, [&] { return (held = holds()) || clock.now() >= end; });
    return held;
  }
  static bool ends(const Runner& runner) {
    return becomes([&] { return runner.state().status == RunnerStatus::kEnded; });
  }

  SteadyClock clock_;
  std::atomic<std::uint64_t> position_ = 0;
  std::uint64_t last_ = 10;
  bool live_ = false;
  bool labelled_ = false;
  bool no_source_ = false;
  std::uint64_t bad_ = 0;
  std::atomic<int> busy_ = 0;
  std::atomic<int> full_ = 0;
  std::atomic<bool> hold_ = false;
  std::atomic<int> asked_ = 0;
  std::vector<std::string> kept_;
  std::vector<std::string> published_;
  int pictures_ = 0;
};

TEST_F(RunnerTest, ShowsEveryFrameOfAReplayableSource) {
  const auto runner = make(true);
  EXPECT_EQ(runner->state().status, RunnerStatus::kStopped);
  EXPECT_FALSE(runner->last_picture());
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(ends(*runner));
  EXPECT_THAT(kept_, ElementsAre("e3", "e6", "e9"));
  EXPECT_EQ(published_, kept_);
  EXPECT_EQ(pictures_, 3);
  const RunnerState state = runner->state();
  EXPECT_EQ(state.handled, 10U);
  EXPECT_EQ(state.dropped, 0U);
  EXPECT_EQ(state.events, 3U);
  EXPECT_EQ(state.last_frame, 10U);
  EXPECT_EQ(state.last_frame_ms, 7);
  const auto jpeg = runner->last_picture();
  ASSERT_TRUE(jpeg) << jpeg.error().message;
  EXPECT_EQ(jpeg->front(), std::byte{0xFF});
  EXPECT_EQ(*runner->scene(), R"({"frame":1})");
}

TEST_F(RunnerTest, GoesOnBehindWhatWasKept) {
  position_ = 6;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(ends(*runner));
  EXPECT_THAT(kept_, ElementsAre("e9"));
  EXPECT_EQ(pictures_, 0);  // not asked for
  last_ = 13;
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(ends(*runner));
  EXPECT_THAT(kept_, ElementsAre("e9", "e12"));
}

TEST_F(RunnerTest, TakesBoxesThatCameWithTheFrames) {
  labelled_ = true;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(ends(*runner));
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(kept_.size(), 3U);
}

TEST_F(RunnerTest, PassesOverAFrameThatIsNoneAndCountsIt) {
  bad_ = 3;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(ends(*runner));
  EXPECT_THAT(kept_, ElementsAre("e6", "e9"));
  EXPECT_EQ(runner->state().failed, 1U);
  EXPECT_EQ(runner->state().handled, 9U);
  EXPECT_EQ(runner->state().error, "This is no picture.");
}

TEST_F(RunnerTest, ShowsAFrameAgainWhereTheModelWasBusy) {
  busy_ = 5;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(ends(*runner));
  EXPECT_EQ(asked_, 15);
  EXPECT_EQ(runner->state().handled, 10U);
  EXPECT_EQ(runner->state().failed, 0U);
}

TEST_F(RunnerTest, HoldsEventsUntilTheyAreKept) {
  full_ = 1000;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(becomes([&] { return runner->state().status == RunnerStatus::kWaiting; }));
  EXPECT_EQ(runner->state().error, "The disk is full.");
  EXPECT_EQ(runner->state().handled, 0U);
  full_ = 1;
  ASSERT_TRUE(ends(*runner));
  EXPECT_THAT(kept_, ElementsAre("e3", "e6", "e9"));
  EXPECT_GE(runner->state().retries, 1U);
}

TEST_F(RunnerTest, WhatWasNotKeptIsNotHandled) {
  full_ = 1'000'000;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(becomes([&] { return runner->state().status == RunnerStatus::kWaiting; }));
  runner->stop();
  runner->wait();
  EXPECT_EQ(runner->state().status, RunnerStatus::kStopped);
  EXPECT_EQ(position_, 0U);
  EXPECT_THAT(published_, IsEmpty());
}

TEST_F(RunnerTest, LooksOnlyAtTheLatestOfALiveSource) {
  live_ = true;
  last_ = 100'000;
  hold_ = true;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(becomes([&] { return runner->state().status == RunnerStatus::kStuck; }));
  ASSERT_TRUE(becomes([&] { return runner->state().source.frames == last_; }));
  hold_ = false;
  ASSERT_TRUE(ends(*runner));
  const RunnerState state = runner->state();
  EXPECT_EQ(state.handled + state.dropped, last_);
  EXPECT_EQ(state.last_frame, last_);
  EXPECT_GT(state.dropped, last_ / 2);
}

TEST_F(RunnerTest, IsStartedAndStoppedAgain) {
  hold_ = true;
  const auto runner = make();
  ASSERT_TRUE(runner->start());
  EXPECT_THAT(runner->start().error().message, HasSubstr("runs already"));
  runner->stop();
  runner->wait();
  EXPECT_EQ(runner->state().status, RunnerStatus::kStopped);
  hold_ = false;
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(ends(*runner));
  no_source_ = true;
  ASSERT_TRUE(runner->start());
  ASSERT_TRUE(becomes([&] { return runner->state().status == RunnerStatus::kFailed; }));
  EXPECT_EQ(runner->state().error, "There is no such thing.");
}

TEST_F(RunnerTest, IsShownByTheService) {
  const auto hub = std::make_shared<EventHub>(EventHubOptions{});
  const auto box = std::make_shared<PushBox>(PushOptions{.source = "push"});
  RunnerParts pushed = parts();
  pushed.open = [box](std::uint64_t after) -> Result<std::unique_ptr<Source>> {
    return std::unique_ptr<Source>(std::make_unique<PushSource>(box, after));
  };
  std::vector<Application> all(2);
  all[0] = {.name = "line", .events = hub, .box = nullptr, .runner = make()};
  all[1] = {.name = "till",
            .events = hub,
            .box = box,
            .runner = std::make_unique<Runner>(
                RunnerOptions{.app = "till"}, std::move(pushed),
                [hub](const Event& event) { hub->publish(event); }, clock_),
            .parts = [](ApplicationState& state) {
              state.rules.push_back({.rule = "any", .events = 7});
              state.sinks.push_back({.name = "log", .dropped = 2, .waiting = 5, .aside = 1});
            }};
  ApplicationService service(std::move(all));
  EXPECT_THAT(service.list(), HasSubstr(R"("name":"line","state":"stopped")"));
  EXPECT_THAT(service.describe("tlil").error().message, HasSubstr("did you mean 'till'?"));
  EXPECT_EQ(service.push("line", picture(), 0).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(service.push("till", picture(), 0).error().code, Code::kFailedPrecondition);  // stopped
  EXPECT_EQ(*service.events("till"), R"({"events":[]})");
  ASSERT_TRUE(service.start("till"));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(becomes([&] { return service.push("till", picture(), 0).has_value(); }));
  }
  ASSERT_TRUE(becomes([&] { return service.states()[1].runner.handled == 3; }));
  ASSERT_TRUE(becomes([&] { return *service.events("till") == R"({"events":[{"id":1}]})"; }));
  EXPECT_THAT(*service.describe("till"), HasSubstr(R"("rules":[{"name":"any",)"));
  EXPECT_THAT(*service.describe("till"), HasSubstr(R"("dropped":2,"waiting":5,"aside":1,"oldest_s":0.000,)"));
  EXPECT_THAT(*service.describe("till"), HasSubstr(R"(}],"scene":{"frame":1}})"));
  EXPECT_THAT(*service.describe("line"), HasSubstr(R"("rules":[],"sinks":[],"scene":null})"));
  EXPECT_EQ(service.states()[1].rules[0].events, 7U);
  EXPECT_EQ(*service.send_again("line"), 0U);
  EXPECT_EQ(*service.days("line", 1, false), R"({"app":"line","days":[]})");
  EXPECT_THAT(*service.describe("till"), HasSubstr(R"("takes_frames":true)"));
  EXPECT_TRUE(service.last_picture("till"));
  EXPECT_TRUE(service.stop("till"));
  service.stop_all();
  EXPECT_EQ(service.states()[1].runner.status, RunnerStatus::kStopped);
  EXPECT_EQ(service.start("till").error().code, Code::kUnavailable);  // for good
}

}  // namespace
}  // namespace bascule::applications

#include "serving/parking.h"

#include <map>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/stepped.h"

namespace bascule::serving {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A model "m" that loads on use.
class Parked : public testing::Test {
 protected:
  void SetUp() override {
    catalog::ManagerOptions options{.load_on_use = true};
    options.wanted = [](const std::string&) { return false; };
    options.load = [this](const catalog::ModelSource& source) -> Result<catalog::Handle> {
      ++loads_;
      auto info = std::make_shared<content::ModelInfo>();
      info->name = source.name;
      info->version = source.version;
      return std::make_shared<catalog::LoadedModel>(
          catalog::LoadedModel{.info = std::move(info), .executable = nullptr});
    };
    options.scan = [] { return catalog::Found{}; };
    manager_.emplace(std::move(options), clock_, catalog_, loader_);
    manager_->start({.sources = {{.name = "m", .version = "1", .file = {}, .note = {}, .home = {}}},
                     .problems = {},
                     .skipped = {}},
                    [](const Result<void>&) {});
    loader_.run();
    park(2);
  }
  void park(std::size_t most) { parking_ = std::make_shared<Parking>(*manager_, timer_, clock_, most); }
  // Notes how it went under `number`.
  void wait(int number, std::optional<Duration> time = std::nullopt) {
    std::optional<TimePoint> deadline;
    if (time) deadline = clock_.time + *time;
    parking_->wait("m", deadline, [this, number](Result<void> result) {
      went_.push_back(number);
      last_ = std::move(result);
    });
  }

  HeldClock clock_;
  StepExecutor loader_;
  HeldTimer timer_;
  catalog::Catalog catalog_{""};
  std::optional<catalog::Manager> manager_;
  std::shared_ptr<Parking> parking_;
  std::vector<int> went_;
  Result<void> last_;
  int loads_ = 0;
};

TEST_F(Parked, AllGoOnInTheirOrderWhenTheModelIsThere) {
  wait(1);
  wait(2, std::chrono::seconds(1));
  EXPECT_THAT(went_, IsEmpty());
  loader_.run();
  EXPECT_THAT(went_, ElementsAre(1, 2));
  EXPECT_TRUE(last_);
  EXPECT_EQ(loads_, 1);
  EXPECT_TRUE(catalog_.pin("m", ""));
  clock_.time += std::chrono::seconds(2);
  timer_.run_until(clock_.time);
  EXPECT_THAT(went_, ElementsAre(1, 2)) << "once each";
}

TEST_F(Parked, ADeadlineEndsTheWait) {
  wait(1, std::chrono::milliseconds(5));
  wait(2);
  clock_.time += std::chrono::milliseconds(5);
  timer_.run_until(clock_.time);
  EXPECT_THAT(went_, ElementsAre(1));
  EXPECT_EQ(last_.error().code, Code::kDeadlineExceeded);
  EXPECT_THAT(last_.error().message, HasSubstr("5.0 ms for model 'm' to be loaded"));
  loader_.run();
  EXPECT_THAT(went_, ElementsAre(1, 2));
}

TEST_F(Parked, ADeadlineThatIsOverAsksForNothing) {
  wait(1, Duration{});
  EXPECT_EQ(last_.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(loader_.queue.empty());
}

TEST_F(Parked, NoMoreWaitThanMay) {
  wait(1);
  wait(2);
  wait(3);
  EXPECT_THAT(went_, ElementsAre(3));
  EXPECT_EQ(last_.error().reason, Reason::kQueueFull);
  EXPECT_GT(last_.error().fields.retry_after, Duration{});
  loader_.run();
  EXPECT_THAT(went_, ElementsAre(3, 1, 2));
}

TEST_F(Parked, NoLimitWhereNoneIsGiven) {
  park(0);
  for (int i = 0; i < 100; ++i) wait(i);
  loader_.run();
  EXPECT_EQ(went_.size(), 100U);
}

TEST_F(Parked, ALoaderThatTakesNoMoreRefuses) {
  loader_.stopped = true;
  wait(1);
  EXPECT_EQ(last_.error().code, Code::kUnavailable);
  EXPECT_THAT(went_, ElementsAre(1));
}

TEST_F(Parked, WhoStillWaitsAtTheEndIsTold) {
  wait(1);
  parking_.reset();
  EXPECT_THAT(went_, ElementsAre(1));
  EXPECT_EQ(last_.error().code, Code::kUnavailable);
  loader_.run();  // what it asked for comes to nobody
  EXPECT_THAT(went_, ElementsAre(1));
}

}  // namespace
}  // namespace bascule::serving

#include "app/watch.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include <gtest/gtest.h>

#include "base/mutex.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLong = std::chrono::seconds(20);  // a test that waits this long fails
constexpr Duration kShort = std::chrono::milliseconds(5);

// A folder, and a count of the looks at it.
class Watching : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            (std::string("watch_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override {
    watch_.reset();
    fs::remove_all(root_);
  }
  void start(WatchOptions options) {
    if (options.paths.empty()) options.paths = {root_};
    options.settle = kShort;
    options.look = [this] {
      MutexLock lock(mutex_);
      ++looks_;
      changed_.notify_all();
      return looks_ > unsettled_;
    };
    watch_.emplace(std::move(options));
  }
  void write(const fs::path& relative) {
    fs::create_directories((root_ / relative).parent_path());
    std::ofstream(root_ / relative) << "x";
  }
  int looks() {
    MutexLock lock(mutex_);
    return looks_;
  }
  bool looked(int times) {
    MutexLock lock(mutex_);
    return changed_.wait_for(mutex_, kLong, [&]() BASCULE_REQUIRES(mutex_) { return looks_ >= times; });
  }
  // Whether a look follows the change.
  bool is_seen(const std::function<void()>& change) {
    const int before = looks();
    change();
    return looked(before + 1);
  }

  fs::path root_;
  Mutex mutex_;
  ConditionVariable changed_;
  int looks_ BASCULE_GUARDED_BY(mutex_) = 0;
  int unsettled_ = 0;  // so many looks see something that changes
  std::optional<Watch> watch_;
};

TEST_F(Watching, LooksAtOnceAndThenOnlyWhenSomethingChanges) {
  start({.events = true});
  EXPECT_TRUE(looked(1));
  EXPECT_TRUE(is_seen([&] { write("a.onnx"); }));
  EXPECT_TRUE(is_seen([&] { fs::rename(root_ / "a.onnx", root_ / "b.onnx"); }));
  EXPECT_TRUE(is_seen([&] { fs::remove(root_ / "b.onnx"); }));
}

TEST_F(Watching, FollowsARepositorysNewFolders) {
  start({.events = true});
  EXPECT_TRUE(looked(1));
  EXPECT_TRUE(is_seen([&] { fs::create_directories(root_ / "m/1"); }));
  // The look of that change comes after its folders were added.
  EXPECT_TRUE(is_seen([&] { write("m/1/model.onnx"); }));
}

TEST_F(Watching, AFileIsSeenThroughItsFolder) {
  write("a.onnx");
  start({.paths = {root_ / "a.onnx"}, .events = true});
  EXPECT_TRUE(looked(1));
  EXPECT_TRUE(is_seen([&] { write("a.onnx"); }));
}

TEST_F(Watching, WhatIsNotSettledIsLookedAtAgain) {
  unsettled_ = 3;
  start({.events = true});
  EXPECT_TRUE(looked(4));
}

TEST_F(Watching, LooksByTheClock) {
  start({.every = kShort});
  EXPECT_TRUE(looked(4));
}

TEST_F(Watching, APathThatIsNotThereIsNoReasonToStop) {
  start({.paths = {root_ / "absent", root_ / "gone/a.onnx", root_}, .events = true});
  EXPECT_TRUE(looked(1));
  EXPECT_TRUE(is_seen([&] { write("a.onnx"); }));
}

TEST_F(Watching, EndsWhileItWaits) {
  start({.events = true, .every = std::chrono::hours(1)});
  EXPECT_TRUE(looked(1));
  watch_.reset();
  const int before = looks();
  write("a.onnx");
  EXPECT_EQ(looks(), before);
}

}  // namespace
}  // namespace bascule::app

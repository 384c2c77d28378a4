#include "app/refresh.h"

#include <chrono>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/file.h"

namespace bascule::app {
namespace {

// Where a test's loads are counted and waited for.
struct Loads {
  Mutex mutex;
  ConditionVariable changed;
  int count BASCULE_GUARDED_BY(mutex) = 0;

  void add() {
    MutexLock lock(mutex);
    ++count;
    changed.notify_all();
  }
  bool reach(int wanted) {
    MutexLock lock(mutex);
    return changed.wait_for(mutex, std::chrono::seconds(20),
                            [&]() BASCULE_REQUIRES(mutex) { return count >= wanted; });
  }
};

TEST(Refresh, LoadsWhatHasChanged) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "bascule_refresh";
  std::filesystem::create_directories(folder);
  const std::string first = folder / "first";
  const std::string second = folder / "second";
  ASSERT_TRUE(write_file(first, "1"));
  std::filesystem::remove(second);
  Loads loads;
  Loads others;
  {
    const Refresh refresh({{.files = {first, second}, .load = [&] { loads.add(); }},
                           {.files = {folder / "never"}, .load = [&] { others.add(); }}},
                          std::chrono::milliseconds(2));
    ASSERT_TRUE(write_file(first, "22"));
    ASSERT_TRUE(loads.reach(1));
    ASSERT_TRUE(write_file(second, "new"));
    ASSERT_TRUE(loads.reach(2));
    std::filesystem::remove(first);
    ASSERT_TRUE(loads.reach(3));
  }
  MutexLock lock(others.mutex);
  EXPECT_EQ(others.count, 0);
}

}  // namespace
}  // namespace bascule::app

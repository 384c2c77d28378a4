#include "applications/sources/folder_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::applications {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const Stop kNever = [] { return false; };

class FolderSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "folder-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::create_directory(root_ / "in");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, const std::string& bytes = "x") const {
    std::ofstream(root_ / "in" / name, std::ios::binary) << bytes;
  }
  // As if it had been written so long ago.
  void age(const std::string& name, std::chrono::seconds by = std::chrono::hours(1)) const {
    const fs::path path = root_ / "in" / name;
    fs::last_write_time(path, fs::last_write_time(path) - by);
  }
  std::unique_ptr<Source> open(bool follow = true, std::uint64_t after = 0, bool kept = false) {
    auto source = FolderSource::open({.source = "line",
                                      .folder = root_ / "in",
                                      .index = kept ? root_ / "index.sqlite" : fs::path(),
                                      .after = after,
                                      .follow = follow,
                                      .look_every = std::chrono::milliseconds(20),
                                      .settle = std::chrono::milliseconds(20)},
                                     clock_);
    EXPECT_TRUE(source) << source.error().message;
    return *std::move(source);
  }
  // "number name" of each up to the end.
  static std::vector<std::string> all(Source& source, std::size_t most = 1000) {
    std::vector<std::string> out;
    while (out.size() < most) {
      auto frame = source.next(kNever);
      EXPECT_TRUE(frame);
      if (!frame || !*frame) break;
      out.push_back(std::to_string((*frame)->number) + " " + (*frame)->picture.name);
    }
    return out;
  }

  fs::path root_;
  SteadyClock clock_;
};

TEST_F(FolderSourceTest, GivesThePicturesThatAreThereByName) {
  for (const char* name : {"b.png", "a.jpg", "c.JPEG", ".hidden.jpg", "notes.txt", "d.jpg.part", "e"})
    write(name);
  fs::create_directory(root_ / "in/folder.jpg");
  const auto source = open(false);
  EXPECT_THAT(all(*source), ElementsAre("1 a.jpg", "2 b.png", "3 c.JPEG"));
  EXPECT_EQ(source->state().status, SourceStatus::kEnded);
  EXPECT_EQ(source->state().frames, 3U);
}

TEST_F(FolderSourceTest, GivesAFileOnceItIsClosed) {
  const auto source = open();
  int looks = 0;
  EXPECT_FALSE(source->next([&] { return ++looks > 3; }));  // from now on it watches
  looks = 0;
  // Nothing while it is open, however often the folder is looked at.
  std::ofstream half(root_ / "in/a.jpg", std::ios::binary);
  half << "half" << std::flush;
  const auto none = source->next([&] { return ++looks > 10; });
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kCancelled);
  half << " and whole";
  half.close();
  const auto frame = source->next(kNever);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->number, 1U);
  EXPECT_EQ((*frame)->source, "line");
  EXPECT_EQ((*frame)->picture.bytes.size(), 14U);
}

TEST_F(FolderSourceTest, GivesAFileThatIsRenamedIntoPlaceAndOneThatIsWrittenAgain) {
  const auto source = open();
  write("a.jpg.tmp");
  fs::rename(root_ / "in/a.jpg.tmp", root_ / "in/a.jpg");
  EXPECT_THAT(all(*source, 1), ElementsAre("1 a.jpg"));
  write("a.jpg", "another");
  EXPECT_THAT(all(*source, 1), ElementsAre("2 a.jpg"));
}

// As on a file system that tells nothing: no watch is set, since the folder comes by being renamed.
TEST_F(FolderSourceTest, FindsByLookingWhatNobodyTellsOf) {
  fs::rename(root_ / "in", root_ / "later");
  const auto source = open();
  int looks = 0;
  EXPECT_FALSE(source->next([&] { return ++looks > 3; }));
  EXPECT_EQ(source->state().status, SourceStatus::kWaiting);
  EXPECT_THAT(source->state().error, HasSubstr("cannot be read"));
  std::ofstream(root_ / "later/a.jpg") << "x";
  fs::rename(root_ / "later", root_ / "in");
  EXPECT_THAT(all(*source, 1), ElementsAre("1 a.jpg"));
  EXPECT_EQ(source->state().status, SourceStatus::kRunning);
}

TEST_F(FolderSourceTest, KeepsNumbersAcrossRestarts) {
  for (const char* name : {"b.jpg", "c.jpg", "d.jpg"}) {
    write(name);
    age(name);
  }
  {
    const auto source = open(true, 0, true);
    EXPECT_THAT(all(*source, 2), ElementsAre("1 b.jpg", "2 c.jpg"));  // d.jpg has its number already
  }
  write("a.jpg");  // would come first by its name
  age("a.jpg");
  fs::remove(root_ / "in/b.jpg");
  {
    const auto source = open(true, 1, true);  // the first was handled, the second was not
    EXPECT_THAT(all(*source, 3), ElementsAre("2 c.jpg", "3 d.jpg", "4 a.jpg"));
  }
  {
    const auto source = open(true, 4, true);
    write("a.jpg", "again");
    EXPECT_THAT(all(*source, 1), ElementsAre("5 a.jpg"));
  }
}

TEST_F(FolderSourceTest, GoesOnBehindThePositionWhereItsIndexWasLost) {
  write("a.jpg");
  const auto source = open(false, 41);
  EXPECT_THAT(all(*source), ElementsAre("42 a.jpg"));
}

TEST_F(FolderSourceTest, PassesOverWhatItCannotRead) {
  auto source =
      FolderSource::open({.source = "line", .folder = root_ / "in", .follow = false, .max_bytes = 4}, clock_);
  ASSERT_TRUE(source);
  write("a.jpg", "large");
  write("b.jpg", "fine");
  EXPECT_THAT(all(**source), ElementsAre("2 b.jpg"));
  EXPECT_EQ((*source)->state().dropped, 1U);
  EXPECT_THAT((*source)->state().error, HasSubstr("limit"));
}

TEST(FolderIndex, ForgetsAndNumbersOn) {
  auto index = FolderIndex::open({}, 7);
  ASSERT_TRUE(index);
  const FileState one{.name = "a", .bytes = 1, .written_ns = 2};
  EXPECT_EQ(index->add(std::vector{one})->front().number, 8U);
  EXPECT_TRUE(index->knows(one));
  EXPECT_FALSE(index->knows({.name = "a", .bytes = 1, .written_ns = 3}));
  ASSERT_TRUE(index->forget(std::vector<std::string>{"a"}));
  EXPECT_FALSE(index->knows(one));
  EXPECT_EQ(index->add(std::vector{one})->front().number, 9U);
}

}  // namespace
}  // namespace bascule::applications

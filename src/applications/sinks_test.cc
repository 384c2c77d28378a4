#include "applications/sinks.h"

#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "content/csv.h"

namespace bascule::applications {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

bool never() { return false; }

class SinksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("sinks-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static Event event(std::uint64_t frame) {
    Event event{.id = event_id("line-3", "folder", frame, "scratch"),
                .app = "line-3",
                .source = "folder",
                .rule = "scratch, deep",
                .severity = "alert",
                .frame = frame,
                .time_ms = 1'795'740'601'123};
    event.json = "{\"id\":\"" + event.id + "\",\"frame\":" + std::to_string(frame) + "}";
    return event;
  }
  static std::string read(const std::filesystem::path& file) {
    std::ostringstream out;
    out << std::ifstream(file, std::ios::binary).rdbuf();
    return out.str();
  }
  static void append(const std::filesystem::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::app) << bytes;
  }

  std::filesystem::path folder_;
};

TEST_F(SinksTest, WriteALineForEachEvent) {
  const auto file = folder_ / "events.jsonl";
  const auto sink = make_jsonl_sink(file);
  Event two = event(2);
  two.json = "{\n\"id\": 2\r\n}";
  ASSERT_TRUE(sink->deliver(event(1), never));
  ASSERT_TRUE(sink->deliver(two, never));
  EXPECT_EQ(read(file), event(1).json + "\n{ \"id\": 2  }\n");
}

TEST_F(SinksTest, TakeAHalfLineAwayAndWriteNoEventTwice) {
  const auto file = folder_ / "events.jsonl";
  const std::string whole = event(1).json + "\n" + event(2).json + "\n";
  // A kill leaves a part of a line; a power cut may leave zeros.
  for (const std::string& half : {event(3).json.substr(0, 20), event(3).json, std::string(700, '\0')}) {
    std::filesystem::remove(file);
    append(file, whole + half);
    const auto sink = make_jsonl_sink(file);
    ASSERT_TRUE(sink->deliver(event(2), never));  // delivered before the kill, but the outbox did not know
    EXPECT_EQ(read(file), whole);
    ASSERT_TRUE(sink->deliver(event(3), never));
    EXPECT_EQ(read(file), whole + event(3).json + "\n");
  }
  std::filesystem::remove(file);
  append(file, "half");
  ASSERT_TRUE(make_jsonl_sink(file)->deliver(event(1), never));
  EXPECT_EQ(read(file), event(1).json + "\n");
}

TEST_F(SinksTest, BeginANewFileWhereTheOldOneWasMovedAway) {
  const auto file = folder_ / "events.csv";
  const auto sink = make_csv_sink(file);
  ASSERT_TRUE(sink->deliver(event(1), never));
  std::filesystem::rename(file, folder_ / "events.csv.1");
  ASSERT_TRUE(sink->deliver(event(2), never));
  for (const char* const name : {"events.csv", "events.csv.1"}) {
    const auto table = content::read_csv(read(folder_ / name));
    ASSERT_TRUE(table) << table.error().message;
    EXPECT_THAT(read(folder_ / name), StartsWith("id,time,app,source,frame,rule,severity,event\n"));
  }
}

TEST_F(SinksTest, WriteCsvThatReadsBack) {
  const auto file = folder_ / "events.csv";
  Event one = event(1);
  one.rule = "a \"deep\"\nscratch, long";
  ASSERT_TRUE(make_csv_sink(file)->deliver(one, never));
  append(file, event(2).id + ",2026");  // killed here
  const auto sink = make_csv_sink(file);
  ASSERT_TRUE(sink->deliver(one, never));
  ASSERT_TRUE(sink->deliver(event(2), never));
  const auto table = content::read_csv(read(file));
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(std::ranges::count(read(file), '\n'), 3);
  EXPECT_THAT(read(file),
              HasSubstr("2026-11-27T00:50:01.123Z,line-3,folder,1,\"a \"\"deep\"\" scratch, long\",alert"));
}

TEST_F(SinksTest, SayWhatTheFileIs) {
  EXPECT_THAT(make_jsonl_sink(folder_)->deliver(event(1), never).error().message,
              HasSubstr("cannot be opened"));
  EXPECT_EQ(make_jsonl_sink(folder_ / "none" / "x")->deliver(event(1), never).error().code,
            Code::kUnavailable);
  const auto file = folder_ / "no lines";
  append(file, std::string(300'000, 'x'));
  EXPECT_THAT(make_jsonl_sink(file)->deliver(event(1), never).error().message, HasSubstr("file of lines"));
  EXPECT_EQ(std::filesystem::file_size(file), 300'000U);
}

// A disk that fills up in the middle of a line: the same event comes again, and the file is whole.
TEST_F(SinksTest, GoOnAfterTheDiskWasFull) {
  const std::filesystem::path disk = folder_ / "disk";
  std::filesystem::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "A small disk can be made by root only.";
  }
  const auto file = disk / "events.jsonl";
  const auto sink = make_jsonl_sink(file);
  std::string expected;
  Result<void> result;
  std::uint64_t frame = 0;
  do {
    Event one = event(++frame);
    one.json.insert(1, "\"x\":\"" + std::string(3000, 'x') + "\",");
    result = sink->deliver(one, never);
    if (result) expected += one.json + "\n";
  } while (result && frame < 100);
  EXPECT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kResourceExhausted) << result.error().message;
  EXPECT_TRUE(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=1m") == 0);
  EXPECT_TRUE(sink->deliver(event(frame), never));
  EXPECT_EQ(read(file), expected + event(frame).json + "\n");
  ::umount2(disk.c_str(), MNT_DETACH);
}

TEST_F(SinksTest, WritePicturesWholeAndOnce) {
  const auto folder = folder_ / "shots" / "today";
  const auto sink = make_picture_sink(folder);
  ASSERT_TRUE(sink->deliver(event(1), never));  // no picture: nothing to write
  Event one = event(1);
  one.picture = std::make_shared<const std::vector<std::byte>>(100, std::byte{1});
  ASSERT_TRUE(sink->deliver(one, never));
  ASSERT_TRUE(sink->deliver(one, never));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename());
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names[0], "2026-11-27T005001.123Z-" + one.id + ".jpg");
  EXPECT_EQ(std::filesystem::file_size(folder / names[0]), 100U);
  append(folder_ / "file", "x");
  EXPECT_FALSE(make_picture_sink(folder_ / "file" / "sub")->deliver(one, never));
}

TEST_F(SinksTest, RefuseWhatMakesNoSense) {
  const SteadyClock clock;
  EXPECT_FALSE(open_webhook({.url = "ftp://h/"}, clock));
  EXPECT_FALSE(open_webhook({.url = "http://h/", .secret_file = folder_ / "none"}, clock));
  append(folder_ / "empty", " \n");
  EXPECT_THAT(open_webhook({.url = "http://h/", .secret_file = folder_ / "empty"}, clock).error().message,
              HasSubstr("Nothing stands in"));
  EXPECT_THAT(open_mqtt_sink({.url = "mqtt://h"}, clock).error().message, HasSubstr("needs a topic"));
  EXPECT_FALSE(open_mqtt_sink({.url = "mqtt://h/a/#"}, clock));
  append(folder_ / "key", "k\n");
  EXPECT_THAT(open_mqtt_sink({.url = "mqtt://h/t", .password_file = folder_ / "key"}, clock).error().message,
              HasSubstr("no user"));
  EXPECT_TRUE(open_mqtt_sink({.url = "mqtt://h/t", .user = "u", .password_file = folder_ / "key"}, clock));
}

}  // namespace
}  // namespace bascule::applications

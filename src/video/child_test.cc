#include "video/child.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "video/program.h"

namespace bascule::video {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

Child start(const std::string& script, ChildLimits limits = {}, std::string_view input = "") {
  auto copy = sealed_copy(std::as_bytes(std::span(input)));
  EXPECT_TRUE(copy) << copy.error().message;
  auto child = Child::start({"/bin/sh", "-c", script}, *copy, limits);
  EXPECT_TRUE(child) << child.error().message;
  return *std::move(child);
}

std::string output(Child& child) {
  std::string out;
  std::array<std::byte, 100> room{};
  while (true) {
    const auto count = child.read(room, seconds(10));
    if (!count) continue;
    if (*count == 0) return out;
    out.append(reinterpret_cast<const char*>(room.data()), *count);
  }
}

bool there(pid_t id) { return ::kill(id, 0) == 0 || errno != ESRCH; }

TEST(Child, GivesWhatItWritesAndHowItEnds) {
  Child child = start("echo out; echo err >&2; exit 7");
  const pid_t id = child.id();
  EXPECT_EQ(output(child), "out\n");
  const Child::End end = child.wait();
  EXPECT_EQ(end.exit_code, 7);
  EXPECT_EQ(end.signal, 0);
  EXPECT_EQ(end.said, "err\n");
  EXPECT_EQ(child.id(), 0);
  EXPECT_FALSE(there(id));
}

TEST(Child, SeeksInItsInputAndCannotChangeIt) {
  const std::string in = "/proc/self/fd/" + std::to_string(Child::kInput);
  Child child = start("tail -c 4 " + in + "; (echo x >> " + in + ") 2>/dev/null || echo refused", {},
                      "a video's bytes");
  EXPECT_THAT(output(child), HasSubstr("ytesrefused"));
}

TEST(Child, HasNothingElseOfThisProcess) {
  setenv("SECRET", "word", 1);
  const Descriptor mine(::open("/etc/passwd", O_RDONLY));  // not closed on exec
  const Descriptor far(::fcntl(mine.number(), F_DUPFD, 200));
  Child child = start("env; ls /proc/$$/fd; cat; trap '' INT; kill -INT $$; echo still here");
  const std::string out = output(child);
  EXPECT_THAT(out, testing::Not(HasSubstr("word")));
  EXPECT_THAT(out, HasSubstr("\n0\n1\n2\n3\n"));
  EXPECT_THAT(out, testing::Not(HasSubstr("200")));
  EXPECT_THAT(out, HasSubstr("still here"));
  EXPECT_NE(::getpgid(::getpid()), child.id());
  unsetenv("SECRET");
}

TEST(Child, IsKilledAndWaitedForWhenNobodyWantsIt) {
  pid_t id = 0;
  {
    Child child = start("while :; do echo busy; done");
    id = child.id();
    std::array<std::byte, 10> room{};
    EXPECT_TRUE(child.read(room, seconds(10)));
    const Child moved = std::move(child);
    EXPECT_TRUE(there(id));
  }
  EXPECT_FALSE(there(id));
}

TEST(Child, HasLimits) {
  Child slow = start("while :; do :; done", {.cpu_time = seconds(1)});
  EXPECT_EQ(output(slow), "");
  const int signal = slow.wait().signal;
  EXPECT_TRUE(signal == SIGXCPU || signal == SIGKILL) << signal;
  Child large = start("ulimit -v; ulimit -c; ulimit -f", {.memory_bytes = 100ULL << 20U});
  EXPECT_EQ(output(large), "102400\n0\n0\n");
  const std::string file = testing::TempDir() + "a_child_may_not_write_this";
  Child writer = start("echo x > " + file + " || exit 3");
  EXPECT_EQ(output(writer), "");
  EXPECT_NE(writer.wait().exit_code, 0);
  ::unlink(file.c_str());
}

TEST(Child, IsKilledWhenItDoesNotEnd) {
  Child child =
      start("echo out; exec >/dev/null; while :; do :; done", {.ending = std::chrono::milliseconds(20)});
  EXPECT_EQ(output(child), "out\n");
  EXPECT_EQ(child.wait().signal, SIGKILL);
}

TEST(Child, KeepsTheEndOfWhatItComplainsOf) {
  Child child = start("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; echo out");
  EXPECT_EQ(output(child), "out\n");
  const Child::End end = child.wait();
  EXPECT_LE(end.said.size(), 4096U);
  EXPECT_THAT(end.said, testing::EndsWith("line 2999\n"));
}

TEST(Child, SaysWhenNothingComes) {
  Child child = start("read x < /proc/self/fd/1");  // for ever
  std::array<std::byte, 10> room{};
  EXPECT_EQ(child.read(room, std::chrono::milliseconds(1)), std::nullopt);
}

TEST(FindFfmpeg, LooksInTheFoldersOfThePath) {
  EXPECT_EQ(find_ffmpeg("sh", "/nowhere::/bin").value_or(""), "/bin/sh");
  EXPECT_EQ(find_ffmpeg("/bin/sh", "").value_or(""), "/bin/sh");
  for (const char* name : {"no-such-program", "/no/such/program", ""}) {
    const auto found = find_ffmpeg(name, "/usr/bin:/bin/");
    if (*name == 0) continue;
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::kUnsupported);
    EXPECT_THAT(found.error().message, HasSubstr("apt-get install ffmpeg"));
    EXPECT_THAT(found.error().message, HasSubstr(name));
  }
}

}  // namespace
}  // namespace bascule::video

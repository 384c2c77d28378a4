// A process that decides events and delivers them is killed with -9 at random moments, its receiver now and
// then too. The oracle is the list of what the recorded frames decide: each event reaches each receiver.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "applications/delivery.h"
#include "applications/sinks.h"
#include "net/test_process.h"

namespace bascule::applications {
namespace {

using std::chrono::milliseconds;

constexpr int kKills = 20;
constexpr std::uint64_t kSeed = 8'2026;
constexpr std::uint64_t kFrames = 600;
const SteadyClock kClock;

// Every other frame has an event; every tenth has two, of which one goes to the file alone.
std::vector<Addressed> decided(std::uint64_t frame) {
  std::vector<Addressed> events;
  const auto add = [&](const std::string& rule, std::vector<std::string> sinks) {
    Event event{.id = event_id("app", "folder", frame, rule),
                .app = "app",
                .source = "folder",
                .rule = rule,
                .frame = frame};
    event.json = "{\"id\": \"" + event.id + "\", \"frame\": " + std::to_string(frame) + "}";
    if (frame % 3 == 0) event.picture = std::make_shared<const std::vector<std::byte>>(frame * 17);
    events.push_back({.event = std::move(event), .sinks = std::move(sinks)});
  };
  if (frame % 2 == 0) add("even", {"log", "hook"});
  if (frame % 10 == 0) add("tenth", {"log"});
  return events;
}

std::vector<std::string> oracle(const std::string& sink) {
  std::vector<std::string> ids;
  for (std::uint64_t frame = 1; frame <= kFrames; ++frame) {
    for (const Addressed& each : decided(frame)) {
      if (std::ranges::find(each.sinks, sink) != each.sinks.end()) ids.push_back(each.event.id);
    }
  }
  return ids;
}

// The process that is killed; ends by itself once all is delivered.
[[noreturn]] void work(const std::filesystem::path& folder, const std::string& url) {
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(nowhere, STDERR_FILENO);
  auto outbox = journal::Outbox::open(folder / "outbox.db", {}, kClock);
  auto hook = open_webhook(
      {.url = url, .secret_file = folder / "key.txt", .picture = true, .allow_private = true}, kClock);
  if (!outbox || !hook) ::_exit(3);
  std::vector<NamedSink> sinks;
  sinks.push_back({.name = "log", .sink = make_jsonl_sink(folder / "log.jsonl")});
  sinks.push_back({.name = "hook", .sink = *std::move(hook)});
  Delivery delivery(**outbox, std::move(sinks),
                    {.app = "app", .back_off = {.first = milliseconds(1), .longest = milliseconds(20)}},
                    kClock);
  const auto position = (*outbox)->position("folder");
  if (!position) ::_exit(4);
  // A frame that was decided before the kill is looked at again, as a source does that warms up.
  const std::uint64_t from = *position ? std::max<std::uint64_t>((*position)->number, 1) : 1;
  for (std::uint64_t frame = from; frame <= kFrames; ++frame) {
    if (!delivery.put(decided(frame), journal::Position{.source = "folder", .number = frame, .mark = ""}))
      ::_exit(5);
  }
  while ((*outbox)->bytes() > 0) (*outbox)->wait((*outbox)->arrivals(), milliseconds(2));
  ::_exit(0);
}

std::vector<std::string> ids_in(const std::filesystem::path& file) {
  std::vector<std::string> ids;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.size() > 40) ids.push_back(line.substr(8, 32));
  return ids;
}

// The receiver of docs/sinks.md.
std::string receiver_program() {
  std::ifstream in(std::string(BASCULE_SOURCE_DIR) + "/docs/sinks.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  const std::size_t from = page.find("```python\n") + 10;
  return page.substr(from, page.find("\n```", from) + 1 - from);
}

TEST(DeliveryKill, LosesNoEventAndDoublesNone) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("delivery-kill-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "key.txt") << "s3cret";
  std::ofstream(folder / "receiver.py") << receiver_program();
  const std::uint16_t port = net::free_port();
  const auto receiver = [&] {
    return std::make_unique<net::TestProcess>(
        std::vector<std::string>{"python3", (folder / "receiver.py").string(), std::to_string(port),
                                 (folder / "key.txt").string(), (folder / "received.jsonl").string()});
  };
  auto process = receiver();
  std::mt19937_64 random(kSeed);
  int status = 0;
  int killed = 0;
  for (int run = 0; run < 200; ++run) {
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", run " << run);
    const pid_t child = ::fork();
    if (child == 0) work(folder, "http://127.0.0.1:" + std::to_string(port) + "/");
    if (killed < kKills) {
      // So much of the work, and a little more or less: then the kill.
      const std::size_t until =
          oracle("log").size() * static_cast<std::size_t>(killed + 1) / (std::size_t{2} * kKills);
      ASSERT_TRUE(net::wait_until([&] { return ids_in(folder / "log.jsonl").size() >= until; }));
      poll(nullptr, 0, static_cast<int>(random() % 20));
      ::kill(child, SIGKILL);
      ++killed;
      if (random() % 4 == 0) {
        process->end();
        process = receiver();
      }
    }
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) break;
  }
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(killed, kKills);
  EXPECT_EQ(ids_in(folder / "log.jsonl"), oracle("log"));
  EXPECT_EQ(ids_in(folder / "received.jsonl"), oracle("hook"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace bascule::applications

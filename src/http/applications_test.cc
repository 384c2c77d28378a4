#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "applications/service.h"
#include "base/mutex.h"
#include "http/loopback.h"

namespace bascule::http {
namespace {

using applications::Application;
using applications::ApplicationService;
using applications::Decision;
using applications::Event;
using applications::EventHub;
using applications::Frame;
using applications::Inferred;
using applications::PushBox;
using applications::PushSource;
using applications::Runner;
using nlohmann::json;
using testing::HasSubstr;

// 4 x 2 pixels.
std::string picture() {
  std::string bmp("BM\x4e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x04\0\0\0\x02\0\0\0\x01\0\x18\0", 30);
  bmp += std::string(24, '\0');
  bmp += std::string(24, '\x40');
  return bmp;
}

Event event(int number) {
  return {.id = fmt::format("id-{}", number), .json = fmt::format(R"({{"id":"id-{}"}})", number)};
}

// A server with one application, "till", that frames are pushed to and that has an event for each.
class ApplicationsTest : public testing::Test {
 protected:
  ApplicationsTest() : service_(applications()), loopback_({.applications = &service_}) {}

  std::vector<Application> applications() {
    applications::RunnerParts parts{
        .position = []() -> Result<std::uint64_t> { return 0; },
        .open = [box = box_](std::uint64_t after) -> Result<std::unique_ptr<applications::Source>> {
          return std::unique_ptr<applications::Source>(std::make_unique<PushSource>(box, after));
        },
        .infer = [](const Frame&, const applications::Stop&) -> Result<Inferred> {
          return Inferred{.found = {.picture = {.height = 2, .width = 4}}};
        },
        .judge = [](const Frame& frame, content::Detections found,
                    const content::ClassNames&) -> Result<Decision> {
          Decision decision{.shown = std::move(found)};
          decision.events.push_back({.event = event(static_cast<int>(frame.number)), .sinks = {}});
          return Result<Decision>(std::move(decision));
        },
        .keep = [this](const Frame&, const std::vector<applications::Addressed>&) -> Result<void> {
          MutexLock lock(mutex_);
          changed_.wait(mutex_, [this]() BASCULE_REQUIRES(mutex_) { return open_; });
          return {};
        }};
    std::vector<Application> all(1);
    all[0] = {.name = "till",
              .events = hub_,
              .box = box_,
              .runner = std::make_unique<Runner>(
                  applications::RunnerOptions{.app = "till"}, std::move(parts),
                  [hub = hub_](const Event& one) { hub->publish(one); }, clock_),
              .send_again = []() -> Result<std::size_t> { return 3; },
              .days = [](std::size_t most) -> Result<std::vector<journal::Tally>> {
                std::vector<journal::Tally> days{{.day = "2026-11-26", .what = "frames", .count = 7},
                                                 {.day = "2026-11-27", .what = "frames", .count = 8}};
                if (most == 1) days.erase(days.begin());
                return days;
              }};
    return all;
  }
  ~ApplicationsTest() override { let_keep(); }
  void let_keep() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  static json body_of(const std::optional<WireReply>& reply) {
    return reply ? json::parse(reply->body, nullptr, false) : json();
  }
  // Asks until the member has the value, for as long as a test may take.
  static void wait_for(Client& client, const std::string& pointer, const json& value) {
    for (int i = 0; i < 100'000; ++i) {
      if (body_of(client.ask(get("/apps/till"))).value(json::json_pointer(pointer), json()) == value) return;
    }
    FAIL() << pointer << " did not become " << value;
  }

  SteadyClock clock_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool open_ BASCULE_GUARDED_BY(mutex_) = false;
  std::shared_ptr<EventHub> hub_ = std::make_shared<EventHub>(applications::EventHubOptions{});
  std::shared_ptr<PushBox> box_ =
      std::make_shared<PushBox>(applications::PushOptions{.source = "till", .max_frames = 2});
  ApplicationService service_;
  Loopback loopback_;
};

TEST_F(ApplicationsTest, AreListedStartedAndStopped) {
  Client client = loopback_.connect();
  const auto list = client.ask(get("/apps"));
  ASSERT_TRUE(list);
  EXPECT_EQ(list->status, 200);
  EXPECT_EQ(body_of(list)["applications"][0]["name"], "till");
  EXPECT_EQ(body_of(list)["applications"][0]["state"], "stopped");
  EXPECT_EQ(client.ask(get("/apps/tall"))->status, 404);
  EXPECT_THAT(client.ask(get("/apps/tall/events"))->body, HasSubstr("did you mean 'till'?"));
  EXPECT_EQ(client.ask(get("/apps/till/frame"))->status, 404);  // none yet
  const auto started = client.ask(post("/apps/till/start", ""));
  ASSERT_TRUE(started);
  EXPECT_EQ(started->status, 200) << started->body;
  EXPECT_EQ(body_of(started)["state"], "starting");
  EXPECT_NE(client.ask(post("/apps/till/start", ""))->status, 200);  // it runs
  EXPECT_EQ(client.ask(post("/apps/till/stop", ""))->status, 200);
  wait_for(client, "/state", "stopped");
}

TEST_F(ApplicationsTest, TakeFramesUntilTheyAreFull) {
  Client client = loopback_.connect();
  EXPECT_NE(client.ask(post("/apps/till/frames", picture()))->status, 202);  // stopped
  ASSERT_EQ(client.ask(post("/apps/till/start", ""))->status, 200);
  std::optional<WireReply> reply;
  int taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    reply = client.ask(post("/apps/till/frames", picture(), "Content-Type: image/bmp\r\n"));
    ASSERT_TRUE(reply);
    if (reply->status == 503) reply.reset();  // it is starting
    if (!reply) continue;
    if (reply->status != 202) break;
    EXPECT_EQ(body_of(reply)["frame"], ++taken);
  }
  EXPECT_EQ(reply->status, 429) << reply->body;  // none is kept
  EXPECT_TRUE(reply->fields.contains("retry-after"));
  EXPECT_GE(taken, 2);
  let_keep();
  wait_for(client, "/frames/handled", taken);
  const std::string form =
      "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bmp\"\r\n\r\n" + picture() +
      "\r\n--x--\r\n";
  const auto posted =
      client.ask(post("/apps/till/frames", form, "Content-Type: multipart/form-data; boundary=x\r\n"));
  EXPECT_EQ(posted->status, 202) << posted->body;
  wait_for(client, "/frames/handled", taken + 1);
  EXPECT_EQ(client.ask(post("/apps/till/frames", ""))->status, 400);
  EXPECT_EQ(
      client.ask(post("/apps/till/frames", "--x--\r\n", "Content-Type: multipart/form-data; boundary=x\r\n"))
          ->status,
      400);
  const auto jpeg = client.ask(get("/apps/till/frame"));
  ASSERT_TRUE(jpeg);
  EXPECT_EQ(jpeg->status, 200) << jpeg->body;
  EXPECT_EQ(jpeg->fields.at("content-type"), "image/jpeg");
  EXPECT_TRUE(jpeg->body.starts_with("\xFF\xD8"));
  const auto events = body_of(client.ask(get("/apps/till/events")))["events"];
  EXPECT_EQ(events.size(), static_cast<std::size_t>(taken) + 1);
  EXPECT_EQ(events[0]["id"], "id-1");
  const auto metrics = client.ask(get("/metrics"));
  EXPECT_THAT(metrics->body, HasSubstr(fmt::format(
                                 R"(bascule_application_handled_frames_total{{app="till"}} {})", taken + 1)));
}

TEST_F(ApplicationsTest, TellWhatWasCountedByDay) {
  Client client = loopback_.connect();
  const auto told = client.ask(get("/apps/till/days"));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->status, 200) << told->body;
  EXPECT_EQ(body_of(told)["app"], "till");
  EXPECT_EQ(body_of(told)["days"].size(), 2U);
  EXPECT_EQ(body_of(client.ask(get("/apps/till/days?days=1")))["days"][0]["frames"], 8);
  const auto table = client.ask(get("/apps/till/days?format=csv&days=1"));
  ASSERT_TRUE(table);
  EXPECT_TRUE(table->fields.at("content-type").starts_with("text/csv"));
  EXPECT_EQ(table->body, "day,what,rule,class,count\r\n2026-11-27,frames,,,8\r\n");
  for (const char* const wrong : {"format=xml", "days=0", "days=401", "days=all"}) {
    const auto refused = client.ask(get(fmt::format("/apps/till/days?{}", wrong)));
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 400) << wrong;
    EXPECT_THAT(refused->body, HasSubstr("it must be")) << wrong;
  }
  EXPECT_EQ(client.ask(get("/apps/tall/days"))->status, 404);
}

TEST_F(ApplicationsTest, SendAgainWhatWasRefused) {
  Client client = loopback_.connect();
  const auto told = client.ask(post("/apps/till/send_again", ""));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->status, 200) << told->body;
  EXPECT_EQ(told->body, R"({"app":"till","events":3})");
  EXPECT_EQ(client.ask(post("/apps/tall/send_again", ""))->status, 404);
}

TEST_F(ApplicationsTest, SendEventsAsTheyCome) {
  hub_->publish(event(1));
  hub_->publish(event(2));
  Client client = loopback_.connect();
  ASSERT_TRUE(
      client.send(get("/apps/till/events", "Accept: text/event-stream;q=1, */*\r\nLast-Event-ID: id-1\r\n")));
  const auto head = client.read_until("\r\n\r\n");
  ASSERT_TRUE(head);
  EXPECT_THAT(*head, HasSubstr("HTTP/1.1 200"));
  EXPECT_THAT(*head, HasSubstr("text/event-stream"));
  const auto second = client.read_until("data: {\"id\":\"id-2\"}\n\n");
  ASSERT_TRUE(second);
  EXPECT_THAT(*second, HasSubstr("id: id-2\n"));
  EXPECT_THAT(*second, testing::Not(HasSubstr("id-1")));
  hub_->publish(event(3));
  EXPECT_TRUE(client.read_until("id-3\"}\n\n"));
  // A server that stops does not wait for who listens.
  loopback_.server().stop(std::chrono::minutes(5));
  EXPECT_TRUE(client.read_until("0\r\n\r\n"));
}

// So that nothing between takes the connection for dead (the HTML standard, 9.2.7), and the server finds out
// who has left.
TEST_F(ApplicationsTest, EventStreamsSayThatTheyLive) {
  Loopback quick({.read_timeout = std::chrono::seconds(1),  // deadlines are looked at four times in that
                  .event_heartbeat = std::chrono::milliseconds(50),
                  .applications = &service_});
  Client client = quick.connect();
  ASSERT_TRUE(client.send(get("/apps/till/events", "Accept: text/event-stream\r\n")));
  ASSERT_TRUE(client.read_until("\r\n\r\n"));
  for (int i = 0; i < 3; ++i) {
    const auto beat = client.read_until(":\n\n\r\n");
    ASSERT_TRUE(beat);
    EXPECT_EQ(*beat, "3\r\n:\n\n\r\n");
  }
  hub_->publish(event(1));
  const auto more = client.read_until("id-1\"}\n\n\r\n");
  ASSERT_TRUE(more);
  EXPECT_THAT(*more, HasSubstr("id: id-1\ndata: "));
  EXPECT_TRUE(client.read_until("3\r\n:\n\n\r\n"));
}

TEST_F(ApplicationsTest, EventsOfWhoHasLeftAreNotKept) {
  {
    Client client = loopback_.connect();
    ASSERT_TRUE(client.send(get("/apps/till/events", "Accept: text/event-stream\r\n")));
    ASSERT_TRUE(client.read_until("\r\n\r\n"));
  }
  // As many as may listen, each leaving again.
  for (int i = 0; i < 200; ++i) {
    Client client = loopback_.connect();
    std::optional<std::string> head;
    ASSERT_TRUE(client.send(get("/apps/till/events", "Accept: text/event-stream\r\n")));
    head = client.read_until("\r\n\r\n");
    ASSERT_TRUE(head);
    client.reset();
  }
  hub_->publish(event(1));
}

// With ThreadSanitizer: a stream is there for the thread that has an event, or not yet.
TEST_F(ApplicationsTest, SendEventsToWhoComesWhileTheyHappen) {
  const std::jthread publisher([this](const std::stop_token& stop) {
    for (int i = 1; !stop.stop_requested(); ++i) {
      hub_->publish(event(i));
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 20; ++i) {
    Client client = loopback_.connect();
    ASSERT_TRUE(client.send(get("/apps/till/events", "Accept: text/event-stream\r\n")));
    ASSERT_TRUE(client.read_until("data: {"));
    client.reset();
  }
}

TEST(Applications, AreNoneWithoutAService) {
  Loopback loopback;
  Client client = loopback.connect();
  EXPECT_EQ(client.ask(get("/apps"))->body, R"({"applications":[]})");
  EXPECT_EQ(client.ask(get("/apps/till"))->status, 404);
  EXPECT_EQ(client.ask(get("/apps/till/frame"))->status, 404);
  EXPECT_EQ(client.ask(get("/apps/till/days"))->status, 404);
  EXPECT_EQ(client.ask(post("/apps/till/frames", "x"))->status, 404);
}

}  // namespace
}  // namespace bascule::http

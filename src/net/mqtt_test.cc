#include "net/mqtt.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/test_process.h"

namespace bascule::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const SteadyClock kClock;
bool never() { return false; }

std::string text_of(const MqttMessage& message) {
  return {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()};
}

class MqttTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("mqtt-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static MqttPublisher publisher(const MqttOptions& options) {
    auto opened = MqttPublisher::open(options, kClock);
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  static MqttSubscriber subscriber(const MqttSubscriberOptions& options) {
    auto opened = MqttSubscriber::open(options, kClock);
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  // Connects and subscribes; nothing is there yet.
  static void join(MqttSubscriber& subscriber) {
    const auto nothing = subscriber.next(milliseconds(1), never);
    ASSERT_TRUE(nothing) << nothing.error().message;
    EXPECT_FALSE(*nothing);
  }

  std::filesystem::path folder_;
};

TEST_F(MqttTest, BringsMessagesOfAnySizeInOrder) {
  TestBroker broker(folder_);
  ASSERT_TRUE(broker.start());
  auto in = subscriber({.broker = {.url = broker.url()}, .topic = "plant/+"});
  join(in);
  auto out = publisher({.url = broker.url()});
  const std::vector<std::string> sent{"", "{\"id\":1}", std::string(3'000'000, 'x'), std::string("a\0b", 3)};
  for (const std::string& payload : sent) {
    const auto result = out.publish("plant/line-3", payload, never);
    ASSERT_TRUE(result) << result.error().message;
  }
  for (const std::string& payload : sent) {
    const auto message = in.next(seconds(20), never);
    ASSERT_TRUE(message && *message);
    EXPECT_EQ((*message)->topic, "plant/line-3");
    EXPECT_TRUE(text_of(**message) == payload) << payload.size();
  }
  EXPECT_EQ(in.connections(), 1U);
}

TEST_F(MqttTest, ComesBackToABrokerThatWasKilled) {
  TestBroker broker(folder_);
  auto out = publisher({.url = broker.url()});
  const auto nobody = out.publish("t", "1", never);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Code::kUnavailable);
  EXPECT_THAT(nobody.error().message, HasSubstr("takes no connection"));
  ASSERT_TRUE(broker.start());
  ASSERT_TRUE(out.publish("t", "2", never));
  broker.kill();
  EXPECT_FALSE(out.publish("t", "3", never));
  ASSERT_TRUE(broker.start());
  EXPECT_TRUE(out.publish("t", "4", never));
  // An old connection that has died is found out by the message itself, and replaced.
  broker.kill();
  ASSERT_TRUE(broker.start());
  const auto result = out.publish("t", "5", never);
  EXPECT_TRUE(result) << result.error().message;
}

TEST_F(MqttTest, SubscribesAgainWhenTheBrokerIsBack) {
  TestBroker broker(folder_);
  ASSERT_TRUE(broker.start());
  auto in = subscriber({.broker = {.url = broker.url()}, .topic = "t"});
  join(in);
  broker.kill();
  Result<std::optional<MqttMessage>> message;
  do {
    message = in.next(seconds(20), never);
  } while (message);
  EXPECT_EQ(message.error().code, Code::kUnavailable);
  ASSERT_TRUE(broker.start());
  join(in);
  ASSERT_TRUE(publisher({.url = broker.url()}).publish("t", "x", never));
  message = in.next(seconds(20), never);
  ASSERT_TRUE(message && *message);
  EXPECT_EQ(text_of(**message), "x");
  EXPECT_EQ(in.connections(), 2U);
}

// With a name, the broker keeps what came while the subscriber was away.
TEST_F(MqttTest, MissesNothingUnderAName) {
  TestBroker broker(folder_);
  ASSERT_TRUE(broker.start());
  const MqttSubscriberOptions options{.broker = {.url = broker.url(), .client_id = "till-1"}, .topic = "t"};
  {
    auto in = subscriber(options);
    join(in);
  }
  ASSERT_TRUE(publisher({.url = broker.url()}).publish("t", "while away", never));
  auto in = subscriber(options);
  const auto message = in.next(seconds(20), never);
  ASSERT_TRUE(message && *message);
  EXPECT_EQ(text_of(**message), "while away");
}

TEST_F(MqttTest, DropsTheOldestWhereNobodyTakesThem) {
  TestBroker broker(folder_);
  ASSERT_TRUE(broker.start());
  auto in = subscriber({.broker = {.url = broker.url()}, .topic = "t", .max_queue = 2, .max_bytes = 10});
  join(in);
  auto out = publisher({.url = broker.url()});
  for (const char* const payload : {"1", "2", "longer than ten", "3"})
    ASSERT_TRUE(out.publish("t", payload, never));
  std::vector<std::string> got;
  while (got.size() + in.dropped() < 4) {
    const auto message = in.next(seconds(20), never);
    ASSERT_TRUE(message && *message);
    got.push_back(text_of(**message));
  }
  // How many come in with one step is the broker's affair; the large one never does.
  EXPECT_EQ(got.back(), "3");
  EXPECT_THAT(got, Not(testing::Contains("longer than ten")));
}

TEST_F(MqttTest, ShowsItsNameAndPassword) {
  ASSERT_TRUE(
      run_program({"mosquitto_passwd", "-b", "-c", (folder_ / "passwords").string(), "line-3", "s3cret"}));
  TestBroker broker(folder_,
                    "allow_anonymous false\npassword_file " + (folder_ / "passwords").string() + "\n");
  ASSERT_TRUE(broker.start());
  EXPECT_TRUE(
      publisher({.url = broker.url(), .user = "line-3", .password = "s3cret"}).publish("t", "x", never));
  const auto refused =
      publisher({.url = broker.url(), .user = "line-3", .password = "wr0ng"}).publish("t", "x", never);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("says no"));
  EXPECT_THAT(refused.error().message, Not(HasSubstr("wr0ng")));
}

TEST_F(MqttTest, TrustsNamedAuthoritiesOnly) {
  ASSERT_TRUE(make_certificates(folder_));
  const auto at = [&](const char* name) { return (folder_ / name).string(); };
  TestBroker broker(folder_, "certfile " + at("server.pem") + "\nkeyfile " + at("server.key") + "\n");
  ASSERT_TRUE(broker.start());
  const std::string url = broker.url("mqtts");
  auto good = publisher({.url = url, .ca_file = at("ca.pem")});
  const auto sent = good.publish("t", std::string(200'000, 'x'), never);
  EXPECT_TRUE(sent) << sent.error().message;
  for (const std::string& file : {at("other.pem"), std::string()}) {
    const auto refused = publisher({.url = url, .ca_file = file}).publish("t", "x", never);
    ASSERT_FALSE(refused) << file;
    EXPECT_EQ(refused.error().code, Code::kUnavailable);
    EXPECT_THAT(refused.error().message, HasSubstr("ca_file"));
  }
  EXPECT_FALSE(
      publisher({.url = broker.url(), .time_limit = seconds(2)}).publish("t", "x", never));  // no TLS
  EXPECT_FALSE(
      publisher({.url = "mqtts://localhost.:" + std::to_string(broker.port()), .ca_file = at("ca.pem")})
          .publish("t", "x", never));  // a name that the certificate does not have
}

TEST_F(MqttTest, GivesUpWhenItIsTold) {
  // Listens, and never says a word.
  TestProcess silent({"python3", "-c",
                      "import socket,sys,time\ns=socket.socket();s.bind(('127.0.0.1',0));s.listen()\n"
                      "print(s.getsockname()[1],flush=True)\ntime.sleep(60)"});
  const std::string port = silent.read_line();
  auto out = publisher({.url = "mqtt://127.0.0.1:" + port, .time_limit = seconds(20)});
  int asked = 0;
  EXPECT_FALSE(out.publish("t", "x", [&] { return ++asked > 1; }));
  auto slow = publisher({.url = "mqtt://127.0.0.1:" + port, .time_limit = milliseconds(20)});
  const auto late = slow.publish("t", "x", never);
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, HasSubstr("in time"));
}

// select() knows no file number beyond 1023; a server with many connections has them.
TEST_F(MqttTest, WorksBesideAThousandOpenFiles) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = std::min<rlim_t>(4096, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  TestBroker broker(folder_);
  ASSERT_TRUE(broker.start());
  std::vector<int> open;
  for (int i = 0; i < 1100; ++i) open.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (open.back() >= 1024) {
    const auto result = publisher({.url = broker.url()}).publish("t", "x", never);
    EXPECT_TRUE(result) << result.error().message;
  }
  for (const int descriptor : open) ::close(descriptor);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(MqttTest, RefusesWhatMakesNoSense) {
  for (const char* const url :
       {"", "http://h/t", "mqtt://", "mqtt:///t", "mqtt://h:0/t", "mqtt://h:65536", "mqtt://h:1:2",
        "mqtt://u:p@h/t", "mqtt://[::1", "mqtt://[::1]x", "mqtt://h h/t", "mqtt://h\n/t", "mqtts://h:/t"}) {
    EXPECT_FALSE(parse_mqtt_url(url)) << url;
  }
  EXPECT_THAT(parse_mqtt_url("mqtt://u:s3cret@h/t").error().message, Not(HasSubstr("s3cret")));
  EXPECT_FALSE(MqttPublisher::open({.url = "mqtt://h", .ca_file = "/ca.pem"}, kClock));
  EXPECT_FALSE(MqttPublisher::open({.url = "mqtts://h", .ca_file = "/none/ca.pem"}, kClock));
  EXPECT_FALSE(MqttSubscriber::open({.broker = {.url = "mqtt://h"}, .topic = "a/#/b"}, kClock));
  EXPECT_FALSE(MqttSubscriber::open({.broker = {.url = "mqtt://h"}, .topic = ""}, kClock));
  TestBroker broker(folder_);
  ASSERT_TRUE(broker.start());
  const auto topic = publisher({.url = broker.url()}).publish("a/+", "x", never);
  ASSERT_FALSE(topic);
  EXPECT_EQ(topic.error().code, Code::kInvalidArgument);
}

TEST_F(MqttTest, TakesAddressesApart) {
  const auto plain = parse_mqtt_url("mqtt://broker.example/plant/line-3");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->host, "broker.example");
  EXPECT_EQ(plain->port, 1883);
  EXPECT_EQ(plain->topic, "plant/line-3");
  EXPECT_EQ(plain->url, "mqtt://broker.example:1883");
  const auto safe = parse_mqtt_url("mqtts://[::1]:9000");
  ASSERT_TRUE(safe) << safe.error().message;
  EXPECT_TRUE(safe->tls);
  EXPECT_EQ(safe->host, "::1");
  EXPECT_EQ(safe->shown(), "[::1]:9000");
  EXPECT_EQ(safe->topic, "");
  EXPECT_EQ(parse_mqtt_url("mqtts://h")->port, 8883);
}

}  // namespace
}  // namespace bascule::net

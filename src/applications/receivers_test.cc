// Events reach real receivers: the Python program of docs/sinks.md and mosquitto, killed and begun again.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "applications/delivery.h"
#include "applications/sinks.h"
#include "base/mutex.h"
#include "net/mqtt.h"
#include "net/test_process.h"
#include "net/test_server.h"

namespace bascule::applications {
namespace {

using net::TestBroker;
using net::TestProcess;
using net::TestServer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const SteadyClock kClock;
bool never() { return false; }

std::string read(const std::filesystem::path& file) {
  std::ostringstream out;
  out << std::ifstream(file, std::ios::binary).rdbuf();
  return out.str();
}

// The first block of that language in docs/sinks.md that holds the text.
std::string snippet(const std::string& language, const std::string& text) {
  const std::string page = read(std::string(BASCULE_SOURCE_DIR) + "/docs/sinks.md");
  const std::string begin = "```" + language + "\n";
  for (std::size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at + 1)) {
    const std::size_t from = at + begin.size();
    std::string block = page.substr(from, page.find("\n```", from) + 1 - from);
    if (block.find(text) != std::string::npos) return block;
  }
  ADD_FAILURE() << "docs/sinks.md has no " << language << " with " << text;
  return "";
}

Event event(std::uint64_t frame, std::size_t picture = 0) {
  Event event{.id = event_id("line-3", "folder", frame, "scratch"),
              .app = "line-3",
              .source = "folder",
              .frame = frame};
  event.json = "{\"id\":\"" + event.id + "\",\"frame\":" + std::to_string(frame) + ",\"name\":\"Krümel\"}";
  if (picture > 0) {
    std::vector<std::byte> bytes(picture);
    for (std::size_t i = 0; i < picture; ++i) bytes[i] = static_cast<std::byte>(i * 2'654'435'761U >> 13U);
    event.picture = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  }
  return event;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ReceiversTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("receivers-" + std::to_string(::getpid()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "key.txt") << "s3cret\n";
    std::ofstream(folder_ / "receiver.py") << snippet("python", "receiver.py PORT");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The receiver of the document, on this port.
  std::unique_ptr<TestProcess> receiver(std::uint16_t port) {
    return std::make_unique<TestProcess>(
        std::vector<std::string>{"python3", (folder_ / "receiver.py").string(), std::to_string(port),
                                 (folder_ / "key.txt").string(), (folder_ / "received.jsonl").string()});
  }
  [[nodiscard]] std::vector<std::string> received() const {
    std::vector<std::string> ids;
    std::ifstream in(folder_ / "received.jsonl");
    for (std::string line; std::getline(in, line);)
      if (line.size() > 40) ids.push_back(line.substr(8, 32));
    return ids;
  }
  std::unique_ptr<Sink> webhook(WebhookOptions options) {
    if (options.secret_file.empty()) options.secret_file = folder_ / "key.txt";
    auto opened = open_webhook(options, kClock);
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  std::unique_ptr<journal::Outbox> outbox() {
    auto opened = journal::Outbox::open(folder_ / "outbox.db", {}, kClock);
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  static std::unique_ptr<Delivery> deliver(journal::Outbox& outbox, std::unique_ptr<Sink> sink) {
    std::vector<NamedSink> sinks;
    sinks.push_back({.name = "a", .sink = std::move(sink)});
    return std::make_unique<Delivery>(
        outbox, std::move(sinks),
        DeliveryOptions{.app = "line-3",
                        .back_off = {.first = milliseconds(10), .longest = milliseconds(100)}},
        kClock);
  }
  static void put(Delivery& delivery, std::uint64_t from, std::uint64_t to, std::size_t picture = 0) {
    for (std::uint64_t frame = from; frame <= to; ++frame) {
      const Addressed one{.event = event(frame, picture), .sinks = {"a"}};
      ASSERT_TRUE(delivery.put(std::span(&one, 1)));
    }
  }
  static bool has_failed(Delivery& delivery, std::uint64_t times) {
    return net::wait_until([&] { return delivery.states()->at(0).failed >= times; });
  }
  static std::vector<std::string> ids(std::uint64_t to) {
    std::vector<std::string> out;
    for (std::uint64_t frame = 1; frame <= to; ++frame) out.push_back(event(frame).id);
    return out;
  }

  std::filesystem::path folder_;
};

TEST_F(ReceiversTest, WebhookReachesAReceiverThatWasAwayAndKilled) {
  const std::uint16_t port = net::free_port();
  const auto kept = outbox();
  const auto delivery = deliver(
      *kept, webhook({.url = "http://127.0.0.1:" + std::to_string(port) + "/alert", .allow_private = true}));
  put(*delivery, 1, 3);
  ASSERT_TRUE(has_failed(*delivery, 2));
  EXPECT_THAT(delivery->states()->at(0).last_error, HasSubstr("takes no connection"));
  auto process = receiver(port);
  ASSERT_TRUE(net::wait_until([&] { return received().size() == 3; }));
  process->end();
  put(*delivery, 4, 6, 50'000);  // with pictures that are not asked for
  ASSERT_TRUE(has_failed(*delivery, 5));
  process = receiver(port);
  ASSERT_TRUE(net::wait_until([&] { return kept->bytes() == 0; }));
  EXPECT_EQ(received(), ids(6));
  EXPECT_TRUE(net::wait_until([&] { return delivery->states()->at(0).delivered == 6; }));
}

TEST_F(ReceiversTest, WebhookWithPicturesIsReadByTheDocumentsReceiver) {
  const std::uint16_t port = net::free_port();
  const auto process = receiver(port);
  const auto sink = webhook(
      {.url = "http://127.0.0.1:" + std::to_string(port) + "/", .picture = true, .allow_private = true});
  ASSERT_TRUE(net::wait_until([&] { return sink->deliver(event(1, 100'000), never).has_value(); }));
  EXPECT_TRUE(sink->deliver(event(1, 100'000), never));  // a double
  EXPECT_TRUE(sink->deliver(event(2), never));           // without
  EXPECT_EQ(received(), ids(2));
  // Another secret: refused for good.
  std::ofstream(folder_ / "other.txt") << "wrong";
  const auto forged = webhook({.url = "http://127.0.0.1:" + std::to_string(port) + "/",
                               .secret_file = folder_ / "other.txt",
                               .allow_private = true});
  const auto refused = forged->deliver(event(3), never);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("status 403"));
  EXPECT_EQ(received(), ids(2));
}

TEST_F(ReceiversTest, WebhookSendsWhatTheDocumentSays) {
  Guarded<std::string> seen;
  const TestServer server([&](const std::string& request, const TestServer::Send& send) {
    seen.with([&](std::string& text) { text = request; });
    send(net::reply("", "204 No Content", "Connection: close\r\n"));
  });
  ASSERT_TRUE(webhook({.url = server.url("/alert"), .picture = true, .allow_private = true})
                  ->deliver(event(7, 5000), never));
  const std::string request = seen.with([](const std::string& text) { return text; });
  EXPECT_THAT(request, HasSubstr("POST /alert HTTP/1.1"));
  EXPECT_THAT(request, HasSubstr("X-Bascule-Event: " + event(7).id + "\r\n"));
  EXPECT_THAT(request,
              HasSubstr("Content-Type: multipart/form-data; boundary=bascule-" + event(7).id + "\r\n"));
  EXPECT_THAT(request, HasSubstr("filename=\"event.json\"\r\nContent-Type: application/json\r\n\r\n" +
                                 event(7).json + "\r\n--"));
  EXPECT_THAT(request, HasSubstr("filename=\"picture.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n" +
                                 text_of(*event(7, 5000).picture) + "\r\n--"));
  EXPECT_THAT(request, Not(HasSubstr("s3cret")));
  // The signature, checked in a shell.
  const std::size_t field = request.find("X-Bascule-Signature: ") + 21;
  const std::string signature = request.substr(field, request.find("\r\n", field) - field);
  std::ofstream(folder_ / "body.bin", std::ios::binary) << request.substr(request.find("\r\n\r\n") + 4);
  const std::string check = snippet("bash", "openssl dgst");
  const auto said = [&](const std::string& what) {
    return TestProcess({"bash", "-c", "cd " + folder_.string() + "\nsignature=" + what + "\n" + check})
        .read_line();
  };
  EXPECT_EQ(said(signature), "signed");
  EXPECT_EQ(said(signature.substr(0, signature.size() - 1) + "x"), "forged");
  std::ofstream(folder_ / "body.bin", std::ios::app) << "x";
  EXPECT_EQ(said(signature), "forged");
}

TEST_F(ReceiversTest, DocumentTellsTheId) {
  EXPECT_EQ(TestProcess({"bash", "-c", snippet("bash", "sha256sum")}).read_line(),
            event_id("line-3", "camera", 17, "scratch"));
}

TEST_F(ReceiversTest, WebhookKnowsWhatAnAnswerMeans) {
  std::string status;
  const TestServer server([&](const std::string&, const TestServer::Send& send) {
    send(net::reply("because", status, "Connection: close\r\nRetry-After: 7\r\n"));
  });
  const auto sink = webhook({.url = server.url(), .allow_private = true});
  for (const char* const good : {"200 OK", "202 Accepted", "204 No Content", "299 Odd"}) {
    status = good;
    EXPECT_TRUE(sink->deliver(event(1), never)) << good;
  }
  for (const char* const later :
       {"301 Moved", "307 Moved", "408 Timeout", "425 Early", "429 Many", "500 Oops", "503 Busy"}) {
    status = later;
    const auto result = sink->deliver(event(1), never);
    ASSERT_FALSE(result) << later;
    EXPECT_EQ(result.error().code, Code::kUnavailable) << later;
    EXPECT_EQ(result.error().fields.retry_after, Duration(seconds(7)));
  }
  for (const char* const refused : {"400 Bad", "401 Who", "403 No", "404 None", "410 Gone", "422 What"}) {
    status = refused;
    const auto result = sink->deliver(event(1), never);
    ASSERT_FALSE(result) << refused;
    EXPECT_EQ(result.error().code, Code::kInvalidArgument) << refused;
    EXPECT_THAT(result.error().message, HasSubstr("because"));
  }
}

TEST_F(ReceiversTest, WebhookKeepsToTheAddressesThatAreAllowed) {
  const TestServer server([](const std::string&, const TestServer::Send& send) { send(net::reply("")); });
  const auto result = webhook({.url = server.url()})->deliver(event(1), never);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kUnavailable);  // waits, is not moved aside
  EXPECT_THAT(result.error().message, HasSubstr("allow_private"));
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(ReceiversTest, WebhookTrustsNamedAuthoritiesOnly) {
  ASSERT_TRUE(net::make_certificates(folder_));
  TestProcess server({"python3", "-c", R"(
import http.server, ssl, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/server.pem", sys.argv[1] + "/server.key")
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
)",
                      folder_.string()});
  const std::string url = "https://127.0.0.1:" + server.read_line() + "/";
  const auto good =
      webhook({.url = url, .ca_file = folder_ / "ca.pem", .allow_private = true})->deliver(event(1), never);
  EXPECT_TRUE(good) << good.error().message;
  for (const std::filesystem::path& file : {folder_ / "other.pem", std::filesystem::path()}) {
    const auto bad = webhook({.url = url, .ca_file = file, .allow_private = true})->deliver(event(1), never);
    ASSERT_FALSE(bad) << file;
    EXPECT_EQ(bad.error().code, Code::kUnavailable);
    EXPECT_THAT(bad.error().message, HasSubstr("not trusted"));
  }
}

TEST_F(ReceiversTest, MqttReachesABrokerThatWasAwayAndKilled) {
  TestBroker broker(folder_);
  ASSERT_TRUE(broker.start());
  // A subscriber whose session the broker keeps, over its own kill too.
  auto in = net::MqttSubscriber::open(
      {.broker = {.url = broker.url(), .client_id = "alarms"}, .topic = "plant/#", .max_queue = 100}, kClock);
  ASSERT_TRUE(in && in->next(milliseconds(1), never));
  ASSERT_TRUE(
      net::wait_until([&] { return read(folder_ / "mosquitto.db").find("plant/#") != std::string::npos; }));
  broker.kill();
  const auto kept = outbox();
  auto opened = open_mqtt_sink({.url = broker.url() + "/plant/line-3"}, kClock);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto delivery = deliver(*kept, *std::move(opened));
  put(*delivery, 1, 2, 30'000);
  put(*delivery, 3, 3);
  ASSERT_TRUE(has_failed(*delivery, 2));
  ASSERT_TRUE(broker.start());
  std::vector<std::string> got;
  const auto take = [&](std::size_t count) {
    return net::wait_until([&] {
      const auto message = in->next(milliseconds(100), never);
      if (message && *message) got.push_back((*message)->topic + " " + text_of((*message)->payload));
      return got.size() >= count;
    });
  };
  ASSERT_TRUE(take(5));
  const std::string picture = "plant/line-3/picture " + text_of(*event(1, 30'000).picture);
  EXPECT_TRUE((got == std::vector<std::string>{"plant/line-3 " + event(1).json, picture,
                                               "plant/line-3 " + event(2).json, picture,
                                               "plant/line-3 " + event(3).json}));
  ASSERT_TRUE(net::wait_until([&] { return kept->bytes() == 0; }));
}

}  // namespace
}  // namespace bascule::applications

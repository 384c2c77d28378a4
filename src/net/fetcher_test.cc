#include "net/fetcher.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <vector>

#include "net/test_server.h"
#include "net/transfer.h"

namespace bascule::net {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

const SteadyClock kClock;

struct Got {
  Result<std::vector<std::byte>> body;
  FetchOutcome outcome;
  [[nodiscard]] std::string text() const {
    return body ? std::string(reinterpret_cast<const char*>(body->data()), body->size())
                : body.error().message;
  }
};

std::future<Got> begin(Fetcher& fetcher, FetchRequest request) {
  auto promise = std::make_shared<std::promise<Got>>();
  auto future = promise->get_future();
  fetcher.fetch(std::move(request), [promise](Result<std::vector<std::byte>> body, FetchOutcome outcome) {
    promise->set_value({.body = std::move(body), .outcome = outcome});
  });
  return future;
}

Got fetch(FetcherOptions options, FetchRequest request) {
  Fetcher fetcher(std::move(options), kClock);
  return begin(fetcher, std::move(request)).get();
}

AllowList list_of(std::vector<std::string> entries) { return *AllowList::parse(entries); }

// Everything here listens on a loopback address, which is none of the public internet.
FetcherOptions here(const TestServer& server) {
  return {.allowed = list_of({"127.0.0.1:" + std::to_string(server.port())}), .allow_private = true};
}

void expect_failure(const Got& got, FetchOutcome outcome, Code code, const std::string& says) {
  ASSERT_FALSE(got.body) << says;
  EXPECT_EQ(got.outcome, outcome) << says;
  EXPECT_EQ(got.body.error().code, code) << says;
  EXPECT_THAT(got.text(), HasSubstr(says));
}

TestServer::Answer always(std::string bytes) {
  return [bytes = std::move(bytes)](const std::string&, const TestServer::Send& send) {
    if (!bytes.empty()) send(bytes);
  };
}

TEST(Fetcher, BringsTheBytesAndSendsNothingAlong) {
  setenv("http_proxy", "http://127.0.0.1:9", 1);  // nobody listens there
  setenv("NETRC", "/dev/null", 1);
  std::string seen;
  {
    const TestServer server([&](const std::string& request, const TestServer::Send& send) {
      seen = request;
      send(reply("picture", "200 OK", "Set-Cookie: a=b\r\nContent-Encoding: gzip\r\n"));
    });
    const Got got = fetch(here(server), {.url = server.url("/a%20b.jpg?x=1")});
    EXPECT_EQ(got.text(), "picture");
    EXPECT_EQ(got.outcome, FetchOutcome::kFetched);
  }
  unsetenv("http_proxy");
  EXPECT_THAT(seen, testing::StartsWith("GET /a%20b.jpg?x=1 HTTP/1.1\r\n"));
  for (const char* field : {"Cookie", "Authorization", "Accept-Encoding", "Referer", "Proxy"}) {
    EXPECT_THAT(seen, Not(HasSubstr(field)));
  }
}

TEST(Fetcher, AsksOnlyHostsOfTheList) {
  const TestServer server(always(reply("picture")));
  FetcherOptions none{.allow_private = true};
  expect_failure(fetch(none, {.url = server.url()}), FetchOutcome::kRefused, Code::kInvalidArgument,
                 "--allow-url 127.0.0.1:");
  FetcherOptions others = here(server);
  others.allowed = list_of({"127.0.0.1:1", "localhost"});
  expect_failure(fetch(others, {.url = server.url()}), FetchOutcome::kRefused, Code::kInvalidArgument,
                 "--allow-url does not name");
  expect_failure(fetch(here(server), {.url = "file:///etc/passwd"}), FetchOutcome::kRefused,
                 Code::kInvalidArgument, "'file'");
  EXPECT_EQ(server.connections(), 0);
}

TEST(Fetcher, ConnectsToNoPrivateAddress) {
  const TestServer server(always(reply("secret")));
  FetcherOptions options = here(server);
  options.allow_private = false;
  options.allowed = AllowList::all();
  const std::string port = std::to_string(server.port());
  // By address, by a name that resolves to one, and by every other way to write it.
  for (const std::string host : {"127.0.0.1", "localhost", "127.1", "0x7f000001", "0.0.0.0", "[::1]",
                                 "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"}) {
    const Got got = fetch(options, {.url = fmt::format("http://{}:{}/", host, port)});
    expect_failure(got, FetchOutcome::kRefused, Code::kInvalidArgument, "--allow-private-urls");
    EXPECT_THAT(got.text(), Not(HasSubstr("secret")));
  }
  EXPECT_EQ(server.connections(), 0);
}

// A name that resolved to a public address when somebody looked, and to a private one when it is connected
// to: only the second counts, for it is the address that curl is about to connect to.
TEST(OpenGuarded, LooksAtTheAddressThatIsConnectedTo) {
  AddressGuard guard;
  curl_sockaddr address{
      .family = AF_INET, .socktype = SOCK_STREAM, .protocol = 0, .addrlen = sizeof(sockaddr_in)};
  const auto open = [&](const char* text) {
    sockaddr_in v4{.sin_family = AF_INET, .sin_port = htons(80)};
    EXPECT_EQ(inet_pton(AF_INET, text, &v4.sin_addr), 1);
    std::memcpy(&address.addr, &v4, sizeof v4);
    const curl_socket_t socket = open_guarded(&guard, CURLSOCKTYPE_IPCXN, &address);
    if (socket != CURL_SOCKET_BAD) ::close(socket);
    return socket != CURL_SOCKET_BAD;
  };
  EXPECT_TRUE(open("8.8.8.8"));
  EXPECT_FALSE(guard.refused);
  EXPECT_FALSE(open("192.168.1.1"));
  EXPECT_TRUE(guard.refused);
  EXPECT_TRUE(open("1.1.1.1"));
  guard.allow_private = true;
  EXPECT_TRUE(open("192.168.1.1"));
  // Nothing but IP, and no other kind of socket, whatever is allowed.
  EXPECT_EQ(open_guarded(&guard, CURLSOCKTYPE_ACCEPT, &address), CURL_SOCKET_BAD);
  address.family = address.addr.sa_family = AF_UNIX;
  EXPECT_EQ(open_guarded(&guard, CURLSOCKTYPE_IPCXN, &address), CURL_SOCKET_BAD);
}

TEST(Fetcher, FollowsRedirectsAndLooksAtEach) {
  const TestServer target(always(reply("picture")));
  const TestServer server([&](const std::string& request, const TestServer::Send& send) {
    const auto to = [&](const std::string& where) {
      send(reply("", "302 Found", "Location: " + where + "\r\n"));
    };
    if (request.starts_with("GET /relative ")) return to("/end");
    if (request.starts_with("GET /end ")) return send(reply("the end")), void();
    if (request.starts_with("GET /away ")) return to(target.url());
    if (request.starts_with("GET /secret ")) return to("http://me:word@127.0.0.1/");
    if (request.starts_with("GET /file ")) return to("file:///etc/passwd");
    if (request.starts_with("GET /nowhere ")) return send(reply("", "302 Found")), void();
    to("/loop");
  });
  FetcherOptions options = here(server);
  EXPECT_EQ(fetch(options, {.url = server.url("/relative")}).text(), "the end");
  expect_failure(fetch(options, {.url = server.url("/away")}), FetchOutcome::kRefused, Code::kInvalidArgument,
                 "leads on to '127.0.0.1:");
  expect_failure(fetch(options, {.url = server.url("/secret")}), FetchOutcome::kRefused,
                 Code::kInvalidArgument, "name or password");
  expect_failure(fetch(options, {.url = server.url("/file")}), FetchOutcome::kRefused, Code::kInvalidArgument,
                 "'file'");
  expect_failure(fetch(options, {.url = server.url("/nowhere")}), FetchOutcome::kFailed,
                 Code::kInvalidArgument, "status 302");
  EXPECT_EQ(target.connections(), 0);
  const int before = server.connections();
  expect_failure(fetch(options, {.url = server.url("/loop")}), FetchOutcome::kFailed, Code::kInvalidArgument,
                 "more than 3 times");
  EXPECT_EQ(server.connections() - before, 4);
  options.max_redirects = 0;
  expect_failure(fetch(options, {.url = server.url("/relative")}), FetchOutcome::kFailed,
                 Code::kInvalidArgument, "more than 0 times");
  options.allowed = AllowList::all();
  options.max_redirects = 1;
  EXPECT_EQ(fetch(options, {.url = server.url("/away")}).text(), "picture");
}

TEST(Fetcher, TakesAUrlThatWasTypedAsItsOwnPermission) {
  const TestServer other(always(reply("secret")));
  const TestServer server([&](const std::string& request, const TestServer::Send& send) {
    if (!request.starts_with("GET /away ")) return send(reply("picture")), void();
    send(reply("", "307 Temporary Redirect",
               "Location: http://localhost:" + std::to_string(other.port()) + "/\r\n"));
  });
  const FetcherOptions options{.allowed = AllowList::all()};
  EXPECT_EQ(fetch(options, {.url = server.url(), .typed = true}).text(), "picture");
  // Its permission ends at its host.
  expect_failure(fetch(options, {.url = server.url("/away"), .typed = true}), FetchOutcome::kRefused,
                 Code::kInvalidArgument, "none of the public internet");
  EXPECT_EQ(other.connections(), 0);
}

TEST(Fetcher, LimitsWhatComes) {
  const std::string endless = "HTTP/1.1 200 OK\r\n\r\n";
  const TestServer server([&](const std::string& request, const TestServer::Send& send) {
    if (request.starts_with("GET /fits ")) return send(reply(std::string(100, 'x'))), void();
    if (request.starts_with("GET /announced ")) {
      send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
      return wait_until_gone(send);
    }
    if (request.starts_with("GET /chunked ")) {
      send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      while (send("1000\r\n" + std::string(4096, 'x') + "\r\n")) {
      }
      return;
    }
    if (request.starts_with("GET /header ")) {
      send("HTTP/1.1 200 OK\r\n");
      while (send("X-Long: " + std::string(1000, 'x') + "\r\n")) {
      }
      return;
    }
    send(endless);
    while (send(std::string(4096, 'x'))) {
    }
  });
  FetcherOptions options = here(server);
  options.max_bytes = 100;
  EXPECT_EQ(fetch(options, {.url = server.url("/fits")}).text(), std::string(100, 'x'));
  for (const char* path : {"/announced", "/chunked", "/endless"}) {
    expect_failure(fetch(options, {.url = server.url(path)}), FetchOutcome::kFailed, Code::kPayloadTooLarge,
                   "more than 100 bytes");
  }
  expect_failure(fetch(options, {.url = server.url("/header")}), FetchOutcome::kFailed,
                 Code::kInvalidArgument, "header of more than 65536 bytes");
}

TEST(Fetcher, TakesNothingButAWholeAnswer) {
  const std::pair<const char*, const char*> cases[] = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404"},
      {"HTTP/1.1 204 No Content\r\n\r\n", "status 204"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", "before all of its answer came"},
      {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "does not answer in HTTP"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "before all of its answer came"},
      {"", "before all of its answer came"},
      {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "does not answer in HTTP"},
      {"220 mail.example ESMTP\r\n", "does not answer in HTTP"},
  };
  for (const auto& [bytes, says] : cases) {
    const TestServer server(always(bytes));
    const Got got = fetch(here(server), {.url = server.url()});
    expect_failure(got, FetchOutcome::kFailed, Code::kInvalidArgument, says);
    EXPECT_THAT(got.text(), HasSubstr("'127.0.0.1:")) << bytes;
  }
  std::string closed;
  FetcherOptions options;
  {
    const TestServer server(always(""));
    closed = server.url();
    options = here(server);
  }
  expect_failure(fetch(options, {.url = closed}), FetchOutcome::kFailed, Code::kInvalidArgument,
                 "takes no connection");
  options.allowed = AllowList::all();
  expect_failure(fetch(options, {.url = "http://no-such-host.invalid/"}), FetchOutcome::kFailed,
                 Code::kInvalidArgument, "is not found");
}

TEST(Fetcher, EndsWhatIsSlowOrNoLongerWanted) {
  const TestServer server([](const std::string& request, const TestServer::Send& send) {
    send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    if (request.starts_with("GET /drip ")) send("more");
    wait_until_gone(send);
  });
  FetcherOptions options = here(server);
  options.time_limit = milliseconds(100);
  expect_failure(fetch(options, {.url = server.url("/drip")}), FetchOutcome::kFailed, Code::kInvalidArgument,
                 "within 0.1 s");
  options.time_limit = std::chrono::hours(1);
  expect_failure(fetch(options, {.url = server.url(), .deadline = kClock.now() + milliseconds(50)}),
                 FetchOutcome::kFailed, Code::kDeadlineExceeded, "time was over");
  Fetcher fetcher(options, kClock);
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  auto waiting = begin(fetcher, {.url = server.url(), .cancelled = gone});
  *gone = true;
  expect_failure(waiting.get(), FetchOutcome::kFailed, Code::kCancelled, "went away");
}

TEST(Fetcher, IsBoundedAndCutsOffWhatIsUnderWayAtItsEnd) {
  const TestServer server([](const std::string&, const TestServer::Send& send) { wait_until_gone(send); });
  FetcherOptions options = here(server);
  options.time_limit = std::chrono::hours(1);
  options.threads = 1;
  options.max_queue = 1;
  std::vector<std::future<Got>> all;
  {
    Fetcher fetcher(options, kClock);
    for (int i = 0; i < 4; ++i) all.push_back(begin(fetcher, {.url = server.url()}));
  }
  int full = 0;
  int ended = 0;
  for (auto& one : all) {
    const Got got = one.get();
    ASSERT_FALSE(got.body);
    full += got.body.error().code == Code::kResourceExhausted ? 1 : 0;
    ended += got.body.error().code == Code::kUnavailable ? 1 : 0;
  }
  EXPECT_GE(full, 2);
  EXPECT_GE(ended, 1);
  EXPECT_EQ(full + ended, 4);
}

}  // namespace
}  // namespace bascule::net

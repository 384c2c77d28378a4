#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "base/executor.h"

namespace bascule::net {

// For tests: a server on a free port of 127.0.0.1 that answers one connection after the other with exactly
// the bytes it is told.
// Thread-safety: external (one owner).
class TestServer {
 public:
  // Sends bytes; false where the other side has gone.
  using Send = std::function<bool(const std::string&)>;
  // Given what came, with the body that the header announces; on the server's thread.
  using Answer = std::function<void(const std::string& request, const Send& send)>;

  explicit TestServer(Answer answer);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // "http://127.0.0.1:PORT" and the path.
  [[nodiscard]] std::string url(const std::string& path = "/") const;
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve();
  void serve_one(int socket) const;

  const Answer answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  ThreadPool pool_{{.name = "test-server"}};
};

// A whole answer with its length.
[[nodiscard]] std::string reply(const std::string& body, const std::string& status = "200 OK",
                                const std::string& fields = "");
// Waits on the server's thread until the client has gone.
void wait_until_gone(const TestServer::Send& send);

}  // namespace bascule::net

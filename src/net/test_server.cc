#include "net/test_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "base/check.h"
#include "base/text.h"

namespace bascule::net {
namespace {

constexpr int kWaitMs = 10'000;  // for anything

// Bytes of body behind this header.
std::size_t announced(const std::string& request) {
  constexpr std::string_view kName = "Content-Length: ";
  const std::size_t at = request.find(kName);
  if (at == std::string::npos) return 0;
  const std::size_t from = at + kName.size();
  return static_cast<std::size_t>(
      text::parse_int(request.substr(from, request.find('\r', from) - from)).value_or(0));
}

bool readable(int socket) {
  pollfd wait{.fd = socket, .events = POLLIN, .revents = 0};
  return poll(&wait, 1, kWaitMs) == 1;
}

}  // namespace

TestServer::TestServer(Answer answer)
    : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  BASCULE_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  BASCULE_CHECK(::listen(listener_, 16) == 0);
  BASCULE_CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  BASCULE_CHECK(pool_.post([this] { serve(); }).has_value());
}

TestServer::~TestServer() {
  ::shutdown(listener_, SHUT_RDWR);  // ends accept
  pool_.drain();
  ::close(listener_);
}

std::string TestServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

void TestServer::serve() {
  while (true) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    ++connections_;
    serve_one(socket);
    ::close(socket);
  }
}

void TestServer::serve_one(int socket) const {
  std::string request;
  std::array<char, 4096> room{};
  while (request.find("\r\n\r\n") == std::string::npos && readable(socket)) {
    const ssize_t count = ::recv(socket, room.data(), room.size(), 0);
    if (count <= 0) return;
    request.append(room.data(), static_cast<std::size_t>(count));
  }
  // Closed with a part of it unread, the answer would be lost.
  const std::size_t whole = request.find("\r\n\r\n") + 4 + announced(request);
  while (request.size() < whole && readable(socket)) {
    const ssize_t count = ::recv(socket, room.data(), room.size(), 0);
    if (count <= 0) return;
    request.append(room.data(), static_cast<std::size_t>(count));
  }
  answer_(request, [socket](const std::string& bytes) {
    if (bytes.empty()) {  // asks whether the other side is there, for as long as it is
      char byte = 0;
      return readable(socket) && ::recv(socket, &byte, 1, 0) > 0;
    }
    return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  });
}

std::string reply(const std::string& body, const std::string& status, const std::string& fields) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), fields, body);
}

void wait_until_gone(const TestServer::Send& send) {
  while (send("")) {
  }
}

}  // namespace bascule::net

#include "http/server.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/check.h"
#include "base/executor.h"
#include "base/log.h"
#include "http/access_log.h"
#include "http/handlers.h"
#include "http/io_loop.h"

namespace bascule::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);  // when the process has no descriptors left
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 46\r\n"
    "Retry-After: 1\r\nConnection: close\r\n\r\n{\"error\":\"The server has no connection free.\"}";

Error unavailable(std::string message) { return {.code = Code::kUnavailable, .message = std::move(message)}; }

Result<tcp::endpoint> endpoint_of(const ServerOptions& options) {
  std::string host = options.host == "localhost" ? "127.0.0.1" : options.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) {
    return unavailable(
        fmt::format("'{}' is not an address to listen on: give an IPv4 or IPv6 address, or "
                    "localhost.",
                    options.host));
  }
  return tcp::endpoint(address, options.port);
}

Error cannot_listen(const ServerOptions& options, const error_code& error) {
  if (error == asio::error::address_in_use) {
    return unavailable(fmt::format(
        "Port {} on {} is in use by another program; stop it or choose another with {} (0 takes any "
        "free one).",
        options.port, options.host, options.port_flag));
  }
  if (error == boost::system::errc::permission_denied) {
    return unavailable(fmt::format(
        "Port {} on {} needs privileges that this process has not; choose one above 1023 with {} (0 "
        "takes any free one).",
        options.port, options.host, options.port_flag));
  }
  if (error == boost::system::errc::address_not_available) {
    return unavailable(
        fmt::format("{} is not an address of this machine; choose another with --host.", options.host));
  }
  return unavailable(fmt::format("Cannot listen on port {} of {}: {}. Choose another with --host and {}.",
                                 options.port, options.host, error.message(), options.port_flag));
}

class HttpServer final : public Server {
 public:
  HttpServer(const ServerOptions& options, serving::Services services, std::unique_ptr<AccessLog> access_log,
             bool loopback)
      : open_(options.max_connections),
        encrypted_(options.tls != nullptr),
        access_log_(std::move(access_log)) {
    handlers_ = std::make_shared<Handlers>(options, services, loopback);
    const std::size_t count = std::max<std::size_t>(options.io_threads, 1);
    for (std::size_t i = 0; i < count; ++i) {
      loops_.push_back(std::make_unique<IoLoop>(IoLoopOptions{.idle_timeout = options.idle_timeout,
                                                              .read_timeout = options.read_timeout,
                                                              .server = options.server_name,
                                                              .tls = options.tls,
                                                              .access_log = access_log_.get(),
                                                              .tracer = options.tracer},
                                                handlers_, services.clock, open_));
    }
    acceptor_.emplace(loops_[0]->context());
    pause_.emplace(loops_[0]->context());
  }
  ~HttpServer() override { stop(Duration{}); }

  Result<void> listen(const tcp::endpoint& endpoint, const ServerOptions& options) {
    error_code error;
    acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) acceptor_->set_option(asio::ip::v6_only(false), error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
    if (error) return cannot_listen(options, error);
    port_ = acceptor_->local_endpoint(error).port();
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return port_; }

  void start() override {
    pool_.emplace(ThreadPoolOptions{.name = "io", .threads = loops_.size(), .max_queue = loops_.size()});
    for (const auto& loop : loops_) {
      const auto posted = pool_->post([&loop = *loop] { loop.run(); });
      BASCULE_CHECK(posted.has_value());
    }
    asio::post(loops_[0]->context(), [this] { accept(); });
  }

  void stop(Duration grace) override {
    if (stopped_.exchange(true)) return;
    if (pool_) {
      asio::post(loops_[0]->context(), [this] {
        error_code ignored;
        acceptor_->close(ignored);
        pause_->cancel();
      });
      handlers_->end_streams();
      for (const auto& loop : loops_) loop->drain();
      if (!open_.wait_for_none(grace)) log::warning("Requests still in flight were cut off.");
      for (const auto& loop : loops_) loop->end();
      pool_.reset();
    }
    pause_.reset();
    acceptor_.reset();
  }

 private:
  // Connections go to the loops in turn and stay there.
  void accept() {
    acceptor_->async_accept([this](const error_code& error, tcp::socket socket) {
      if (!acceptor_->is_open()) return;
      if (error) {
        log::warning("Accepting a connection failed: {}.", error.message());
        pause_->expires_after(kAcceptPause);
        pause_->async_wait([this](const error_code& cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      hand_over(std::move(socket));
      accept();
    });
  }

  void hand_over(tcp::socket socket) {
    error_code ignored;
    if (!open_.try_add()) {
      socket.non_blocking(true, ignored);
      if (!encrypted_) socket.write_some(asio::buffer(kFull), ignored);
      socket.shutdown(tcp::socket::shutdown_send, ignored);
      return;
    }
    loops_[next_++ % loops_.size()]->adopt(socket.release(ignored));
  }

  ConnectionCount open_;
  std::shared_ptr<Handlers> handlers_;
  const bool encrypted_;
  const std::unique_ptr<AccessLog> access_log_;  // may be null
  std::vector<std::unique_ptr<IoLoop>> loops_;
  std::optional<tcp::acceptor> acceptor_;  // on the first loop
  std::optional<asio::steady_timer> pause_;
  std::size_t next_ = 0;
  std::uint16_t port_ = 0;
  std::optional<ThreadPool> pool_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(const ServerOptions& options, serving::Services services) {
  std::unique_ptr<AccessLog> access_log;
  if (!options.access_log.empty()) {
    BASCULE_ASSIGN(access_log, AccessLog::open(options.access_log));
  }
  BASCULE_ASSIGN(const tcp::endpoint endpoint, endpoint_of(options));
  auto server = std::make_unique<HttpServer>(options, services, std::move(access_log),
                                             endpoint.address().is_loopback());
  BASCULE_TRY(server->listen(endpoint, options));
  return Result<std::unique_ptr<Server>>(std::move(server));
}

}  // namespace bascule::http

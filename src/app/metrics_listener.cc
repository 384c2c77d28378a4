#include "app/metrics_listener.h"

#include <cstdint>

#include "base/log.h"

namespace bascule::app {
namespace {

constexpr std::size_t kMaxScrapers = 64;

}  // namespace

Result<std::unique_ptr<http::Server>> listen_for_metrics(const config::Values& values,
                                                         const http::ServerOptions& main,
                                                         const http::Services& services) {
  const auto port = values.integer_or_word("metrics_port");
  if (!port) return std::unique_ptr<http::Server>();  // off
  http::ServerOptions options = main;
  options.port = static_cast<std::uint16_t>(*port);
  options.port_flag = "--metrics-port";
  options.io_threads = 1;
  options.max_connections = kMaxScrapers;
  options.metrics_only = true;
  options.access_log.clear();
  auto server = http::Server::listen(std::move(options), services);
  if (server || values.source("metrics_port").origin != config::Origin::kDefault) return server;
  log::info("Metrics are served on the main port alone: {}", server.error().message);
  return std::unique_ptr<http::Server>();
}

}  // namespace bascule::app

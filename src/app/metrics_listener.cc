#include "app/metrics_listener.h"

#include <cstdint>
#include <string>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"

namespace bascule::app {
namespace {

constexpr std::size_t kMaxScrapers = 64;

}  // namespace

Result<std::unique_ptr<http::Server>> listen_for_metrics(const config::Values& values,
                                                         const http::ServerOptions& main,
                                                         const http::Services& services) {
  const std::string& wanted = values.text("metrics_port");
  if (wanted == "off") return std::unique_ptr<http::Server>();
  const auto port = text::parse_int(wanted);
  if (!port || *port < 0 || *port > UINT16_MAX) {
    return invalid_argument(fmt::format("--metrics-port is '{}'; it must be a port from 0 to 65535, or off.",
                                        text::shortened(wanted, 40)));
  }
  http::ServerOptions options = main;
  options.port = static_cast<std::uint16_t>(*port);
  options.port_flag = "--metrics-port";
  options.io_threads = 1;
  options.max_connections = kMaxScrapers;
  options.metrics_only = true;
  options.access_log.clear();
  auto server = http::Server::listen(std::move(options), services);
  if (server || values.origin("metrics_port") != config::Origin::kDefault) return server;
  log::info("Metrics are served on the main port alone: {}", server.error().message);
  return std::unique_ptr<http::Server>();
}

}  // namespace bascule::app

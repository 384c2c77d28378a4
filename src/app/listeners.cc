#include "app/listeners.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "app/commands.h"
#include "base/cpu.h"
#include "base/log.h"

namespace bascule::app {
namespace {

constexpr std::size_t kMaxScrapers = 64;

bool is_default(const config::Values& values, std::string_view name) {
  return values.source(name).origin == config::Origin::kDefault;
}

// Of HTTP, and as many of gRPC.
std::size_t io_threads() { return std::max<std::size_t>(cpu_budget() / 4, 1); }

http::ServerOptions http_options(const config::Values& values, const Guards& guards) {
  const bool triton = values.text("compat") == "triton";
  return {.host = values.text("host"),
          .port = static_cast<std::uint16_t>(values.integer("http_port")),
          .io_threads = io_threads(),
          .max_json_bytes = static_cast<std::uint64_t>(values.integer("max_json_bytes")),
          .max_binary_bytes = static_cast<std::uint64_t>(values.integer("max_binary_bytes")),
          .max_connections = static_cast<std::size_t>(values.integer("max_connections")),
          .idle_timeout = std::chrono::milliseconds(values.integer("idle_timeout_ms")),
          .read_timeout = std::chrono::milliseconds(values.integer("read_timeout_ms")),
          .access_log = values.has("access_log") ? values.text("access_log") : "",
          .server_name = triton ? "triton" : "bascule",
          .triton_statuses = triton,
          .server_version = std::string(kVersion),
          .tls = guards.tls,
          .gate = guards.gate,
          .applications = guards.applications,
          .tracer = guards.tracer};
}

// Null: off, or the default port was taken.
Result<std::unique_ptr<http::Server>> listen_for_metrics(const config::Values& values,
                                                         const serving::Services& services,
                                                         const Guards& guards) {
  const auto port = values.integer_or_word("metrics_port");
  if (!port) return std::unique_ptr<http::Server>();  // off
  http::ServerOptions options = http_options(values, guards);
  options.port = static_cast<std::uint16_t>(*port);
  options.port_flag = "--metrics-port";
  options.io_threads = 1;
  options.max_connections = kMaxScrapers;
  options.metrics_only = true;
  options.access_log.clear();
  options.tracer = nullptr;
  auto server = http::Server::listen(options, services);
  if (server || !is_default(values, "metrics_port")) return server;
  log::info("Metrics are served on the main port alone: {}", server.error().message);
  return std::unique_ptr<http::Server>();
}

// Null: as above.
Result<std::unique_ptr<grpc_front::Server>> listen_for_grpc(const config::Values& values,
                                                            const serving::Services& services,
                                                            const Guards& guards) {
  const auto port = values.integer_or_word("grpc_port");
  if (!port) return std::unique_ptr<grpc_front::Server>();  // off
  const bool triton = values.text("compat") == "triton";
  std::optional<grpc_front::TlsFiles> tls;
  if (guards.tls != nullptr) {
    const http::TlsFiles& files = guards.tls->files();
    tls = {.certificate = files.certificate, .key = files.key, .client_authority = files.client_authority};
  }
  auto server = grpc_front::Server::listen(
      {.host = values.text("host"),
       .port = static_cast<std::uint16_t>(*port),
       .io_threads = io_threads(),
       .max_message_bytes = static_cast<std::size_t>(values.integer("max_binary_bytes")),
       .max_typed_bytes = static_cast<std::size_t>(values.integer("max_json_bytes")),
       .dialect = triton ? protocol::Dialect::kTriton : protocol::Dialect::kV2,
       .server_name = triton ? "triton" : "bascule",
       .server_version = std::string(kVersion),
       .tls = tls,
       .tracer = guards.tracer,
       .gate = guards.gate},
      services);
  if (server || !is_default(values, "grpc_port")) return server;
  log::info("gRPC is not served: {}", server.error().message);
  return std::unique_ptr<grpc_front::Server>();
}

}  // namespace

Result<Listeners> Listeners::open(const config::Values& values, const serving::Services& services,
                                  const Guards& guards, http::Sources sources) {
  Listeners all;
  const std::string& host = values.text("host");
  const bool ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  all.host_ = ipv6 ? fmt::format("[{}]", host) : host;
  all.scheme_ = guards.tls != nullptr ? "https" : "http";
  http::ServerOptions options = http_options(values, guards);
  options.sources = std::move(sources);
  BASCULE_ASSIGN(all.http_, http::Server::listen(options, services));
  BASCULE_ASSIGN(all.metrics_, listen_for_metrics(values, services, guards));
  BASCULE_ASSIGN(all.grpc_, listen_for_grpc(values, services, guards));
  return Result<Listeners>(std::move(all));
}

void Listeners::start() {
  http_->start();
  if (metrics_ != nullptr) metrics_->start();
}

void Listeners::set_ready(bool ready) {
  if (grpc_ != nullptr) grpc_->set_ready(ready);
}

void Listeners::stop(Duration grace) {
  if (grpc_ != nullptr) grpc_->set_ready(false);
  http_->stop(grace);
  if (grpc_ != nullptr) grpc_->stop(grace);
  if (metrics_ != nullptr) metrics_->stop(Duration{});
}

std::string Listeners::url() const { return fmt::format("{}://{}:{}", scheme_, host_, http_->port()); }

std::string Listeners::grpc_address() const {
  return grpc_ != nullptr ? fmt::format("{}:{}", host_, grpc_->port()) : "";
}

std::string Listeners::metrics_url() const {
  return metrics_ != nullptr ? fmt::format("{}://{}:{}", scheme_, host_, metrics_->port()) : "";
}

}  // namespace bascule::app

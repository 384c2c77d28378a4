#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "access/gate.h"
#include "applications/service.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/sources.h"
#include "http/tls.h"
#include "serving/services.h"
#include "tracing/tracer.h"

namespace bascule::http {

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;              // 0: any free one
  std::string port_flag = "--http-port";  // how errors call the port
  bool metrics_only = false;              // nothing but GET /metrics
  std::size_t io_threads = 1;
  std::uint64_t max_json_bytes = 16ULL << 20U;    // JSON bodies
  std::uint64_t max_binary_bytes = 64ULL << 20U;  // pictures, multipart, the binary tensor extension
  std::size_t max_connections = 4096;
  Duration idle_timeout = std::chrono::seconds(75);     // between requests
  Duration read_timeout = std::chrono::seconds(30);     // without a byte inside a request
  Duration event_heartbeat = std::chrono::seconds(15);  // streams of events say so often that they live
  std::string access_log;  // file of answered requests as JSON lines; "-": standard output; empty: none
  std::string server_name = "bascule";
  bool triton_statuses = false;  // v2 answers with Triton's statuses where they differ
  std::string server_version;
  std::shared_ptr<const Tls> tls;                            // null: HTTP in the clear
  std::shared_ptr<const access::Gate> gate;                  // who may ask for what; null: one without keys
  applications::ApplicationService* applications = nullptr;  // outlives the server; null: there are none
  tracing::Tracer* tracer = nullptr;  // outlives the server; null: requests are not traced
  Sources sources;                    // of what bodies do not hold
};

// The HTTP front end: every route, or /metrics alone, on one listener.
// Thread-safety: thread-safe.
class Server {
 public:
  // Binds and listens; nothing is accepted before `start`. Errors: kUnavailable with one sentence that names
  // the address (in use, not ours); kInvalidArgument for an access log that cannot be opened.
  static Result<std::unique_ptr<Server>> listen(const ServerOptions& options, serving::Services services);
  virtual ~Server() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  virtual void start() = 0;
  // Stops accepting, lets requests in flight finish for at most `grace`, closes idle connections, joins.
  virtual void stop(Duration grace) = 0;
};

}  // namespace bascule::http

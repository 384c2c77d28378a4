#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "access/gate.h"
#include "base/clock.h"
#include "base/result.h"
#include "protocol/body.h"
#include "serving/services.h"
#include "tracing/tracer.h"

namespace bascule::grpc_front {

// PEM files, which are read again when they change.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string client_authority;  // whose clients alone may connect; empty: any client
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8001;                           // 0: any free one
  std::size_t io_threads = 1;                          // each reads requests and writes answers
  std::size_t max_message_bytes = 64ULL << 20U;        // of one message, after decompression
  std::size_t max_typed_bytes = 16ULL << 20U;          // of what is not raw in it
  protocol::Dialect dialect = protocol::Dialect::kV2;  // whose statuses
  std::string server_name = "bascule";
  std::string server_version;
  std::optional<TlsFiles> tls;               // nothing: in the clear
  tracing::Tracer* tracer = nullptr;         // outlives the server; null: requests are not traced
  std::shared_ptr<const access::Gate> gate;  // who may call what; null: one without keys
};

// The gRPC front end: inference.GRPCInferenceService, grpc.health.v1.Health and reflection on one listener.
// Thread-safety: thread-safe.
class Server {
 public:
  // Binds and serves at once. Errors: kUnavailable with one sentence that names the address (in use, not
  // ours).
  static Result<std::unique_ptr<Server>> listen(const ServerOptions& options, serving::Services services);
  virtual ~Server() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  // What grpc.health.v1 says, of the server and of its service; until it is called, not serving.
  virtual void set_ready(bool ready) = 0;
  // Takes no new calls, lets those in flight finish for at most `grace`, cancels the rest, and returns when
  // all have ended. Whoever runs what is in flight must still do so.
  virtual void stop(Duration grace) = 0;
};

}  // namespace bascule::grpc_front

#pragma once

#include <memory>
#include <string>

#include "access/gate.h"
#include "base/result.h"
#include "config/option.h"
#include "grpc/server.h"
#include "http/server.h"

namespace bascule::app {

// What stands in front of everything that answers, and what it shows beside models.
// Thread-safety: a value.
struct Guards {
  std::shared_ptr<access::Gate> gate;
  std::shared_ptr<http::Tls> tls;                            // null: in the clear
  tracing::Tracer* tracer = nullptr;                         // null: requests are not traced
  applications::ApplicationService* applications = nullptr;  // outlives it; null: there are none
};

// Everything that answers: HTTP, gRPC, and /metrics by itself.
// Thread-safety: external (one thread).
class Listeners {
 public:
  // Binds them all. A port that nobody asked for is left out where it is taken, with a line in the log.
  // Errors: of a port that was asked for; kInvalidArgument for an access log that cannot be opened. All of
  // `services` outlive it.
  static Result<Listeners> open(const config::Values& values, const serving::Services& services,
                                const Guards& guards, http::Sources sources);

  // Answers from now on.
  void start();
  // What health checks that are told, not asked, say: whether models serve. Thread-safe.
  void set_ready(bool ready);
  // Takes nothing new, and waits for what is under way for at most `grace`.
  void stop(Duration grace);

  [[nodiscard]] std::string url() const;           // http://127.0.0.1:8000
  [[nodiscard]] std::string grpc_address() const;  // 127.0.0.1:8001; empty: off
  [[nodiscard]] std::string metrics_url() const;   // empty: off

 private:
  Listeners() = default;

  std::string host_;    // as in a URL
  std::string scheme_;  // likewise
  std::unique_ptr<http::Server> http_;
  std::unique_ptr<http::Server> metrics_;
  std::unique_ptr<grpc_front::Server> grpc_;
};

}  // namespace bascule::app

#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "http/access_log.h"
#include "http/connection_count.h"
#include "http/handlers.h"
#include "http/tls.h"
#include "tracing/tracer.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): its name is its own
}

namespace bascule::http {

struct IoLoopOptions {
  Duration idle_timeout{};
  Duration read_timeout{};
  std::string server;                 // of the Server header field
  std::shared_ptr<const Tls> tls;     // null: connections are in the clear
  AccessLog* access_log = nullptr;    // null: none; else it outlives the loop
  tracing::Tracer* tracer = nullptr;  // likewise
};

// One thread's worth of connections: each is read, parsed and answered on the thread that runs this loop.
// Thread-safety: thread-safe.
class IoLoop {
 public:
  // `clock` and `open` outlive the loop.
  IoLoop(IoLoopOptions options, std::shared_ptr<Handlers> handlers, const Clock& clock,
         ConnectionCount& open);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  // Serves until `end`. Called once, by one thread.
  void run();
  // Takes over a connected socket that `open` has counted.
  void adopt(int socket);
  // Closes idle connections; all others close after their next answer.
  void drain();
  // Closes every connection, answered or not; `run` then returns.
  void end();

  [[nodiscard]] boost::asio::io_context& context();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bascule::http

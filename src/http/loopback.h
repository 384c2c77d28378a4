#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/timer.h"
#include "http/server.h"
#include "metrics/metrics.h"
#include "serving/control_service.h"
#include "serving/inference_service.h"

// For tests: a real server on a free port of 127.0.0.1, models made of functions, and a client of plain
// sockets.
namespace bascule::http {

// A reply as it came over the wire.
struct WireReply {
  int status = 0;
  std::map<std::string, std::string> fields;  // names in small letters
  std::string body;
  std::string raw_head;
};

// A connection that sends and reads exactly what it is told. Every wait ends after ten seconds.
// Thread-safety: external (one thread).
class Client {
 public:
  explicit Client(std::uint16_t port);
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;

  // False where the other side has closed.
  bool send(std::string_view bytes);
  // Reads one reply; nothing where the connection ends first or what came is no reply.
  std::optional<WireReply> read(bool head_only = false);
  // Reads up to this text, and gives what came with it; nothing where the connection ends first. For bodies
  // without a length.
  std::optional<std::string> read_until(std::string_view text);
  // Sends a request and reads its reply.
  std::optional<WireReply> ask(std::string_view request) { return send(request) ? read() : std::nullopt; }
  // True where the other side ends the connection, and sends nothing before.
  bool ends();
  // Ends the sending half.
  void finish_sending() const;
  // Closes with a reset.
  void reset();

 private:
  bool fill();

  int socket_ = -1;
  std::string buffer_;
};

// A server with these models:
//   add_one   FP32 [-1] -> FP32 [-1], on the thread that reads
//   slow      the same, on a worker, after `let_slow_run`
//   narrow    the same, and one request may wait for it
//   loading   not ready
// Thread-safety: external (one thread), but for the models, which are called by any.
class Loopback {
 public:
  explicit Loopback(ServerOptions options = {});
  ~Loopback();

  [[nodiscard]] Client connect() const { return Client(server_->port()); }
  [[nodiscard]] Server& server() { return *server_; }
  [[nodiscard]] serving::Services services() {
    return {.inference = inference_,
            .control = control_,
            .metrics = metrics_,
            .shared_memory = shared_memory_,
            .clock = clock_,
            .executor = *pool_};
  }
  [[nodiscard]] std::string exposition() const { return metrics_.render({}); }
  // `slow` waits before its runs until this was called. Runs that wait can be waited for.
  void let_slow_run();
  void wait_for_slow(int runs);
  // Where the bytes of the first input of add_one's last run lay.
  [[nodiscard]] std::uintptr_t last_input() const { return last_input_; }

 private:
  struct Gate;

  SteadyClock clock_;
  metrics::Metrics metrics_;
  std::shared_ptr<Gate> gate_;
  std::atomic<std::uintptr_t> last_input_ = 0;
  catalog::Catalog catalog_{""};
  std::optional<ThreadPool> pool_{std::in_place, ThreadPoolOptions{.name = "cpu", .threads = 2}};
  TimerThread timer_{clock_};
  serving::InferenceService inference_{
      catalog_, {.executor = *pool_, .timer = timer_, .clock = clock_, .metrics = metrics_}, {}};
  serving::ControlService control_{catalog_, clock_};
  serving::SharedMemory shared_memory_{false};
  std::unique_ptr<Server> server_;
};

// "POST path" with a body and these further header lines ("Name: value\r\n").
[[nodiscard]] std::string post(std::string_view path, std::string_view body, std::string_view fields = "");
[[nodiscard]] std::string get(std::string_view path, std::string_view fields = "");
// A JSON infer request of the values.
[[nodiscard]] std::string infer_json(const std::vector<float>& values);

}  // namespace bascule::http

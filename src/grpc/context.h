#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <grpcpp/server_context.h>

#include "access/gate.h"
#include "access/route_class.h"
#include "base/mutex.h"
#include "grpc/server.h"
#include "serving/accounts.h"
#include "tracing/trace_context.h"

namespace bascule::grpc_front {

// A call that goes on until its client ends it, or the server does.
// Thread-safety: thread-safe.
class Stream {
 public:
  virtual ~Stream() = default;
  // Takes no more requests, and ends once those under way have their answers.
  virtual void drain() = 0;
};

// The streams that are open. Thread-safety: thread-safe.
class Streams {
 public:
  void add(Stream& stream) {
    MutexLock lock(mutex_);
    open_.insert(&stream);
  }
  void remove(Stream& stream) {
    MutexLock lock(mutex_);
    open_.erase(&stream);
  }
  // Under the lock: a stream that ends now waits for it before it goes.
  void drain() {
    MutexLock lock(mutex_);
    for (Stream* const stream : open_) stream->drain();
  }

 private:
  Mutex mutex_;
  std::set<Stream*> open_ BASCULE_GUARDED_BY(mutex_);
};

// What every call needs. Thread-safety: thread-safe.
struct Context {
  Context(ServerOptions server_options, serving::Services all, bool listens_on_loopback)
      : options(std::move(server_options)),
        services(all),
        accounts(all.metrics, all.control, all.clock),
        loopback(listens_on_loopback),
        gate(options.gate != nullptr ? options.gate : std::make_shared<access::Gate>(all.clock)) {}

  // Whether this call may be made, of a method of that class. `charged`: it counts as one request.
  [[nodiscard]] access::Decision admit(access::RouteClass wanted, const grpc::ServerContextBase& call,
                                       bool charged = true) const;

  // Whether a request of this call is recorded, and as what; each of a stream's by itself.
  [[nodiscard]] std::optional<tracing::TraceContext> sample(const grpc::ServerContextBase& call) const;

  const ServerOptions options;
  const serving::Services services;
  const serving::Accounts accounts;
  const bool loopback;  // only this machine can reach the server
  const std::shared_ptr<const access::Gate> gate;
  Streams streams;
  // Inferences under way, and all that ever were: whether a request has others beside it.
  std::atomic<std::uint64_t> under_way = 0;
  std::atomic<std::uint64_t> begun = 1;
};

// Of this front end's series.
inline constexpr std::string_view kLabel = "v2-grpc";

}  // namespace bascule::grpc_front

#pragma once

#include <atomic>
#include <set>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "grpc/context.h"

namespace bascule::grpc_front {

class BytesService;
class HealthWatch;
class UnaryCall;

// grpc.health.v1.Health of the server and one service of it, which serve or do not together. gRPC's own polls
// from threads of its own, which costs every other call a hand-over.
// Source: grpc/health/v1/health.proto.
// Thread-safety: thread-safe.
class Health {
 public:
  // Not serving until it is told. `context` outlives it.
  Health(Context& context, std::string service) : context_(context), service_(std::move(service)) {}

  void add_to(BytesService& service);
  // Whoever watches gets a message where that is new.
  void set(bool serving);

 private:
  friend class HealthWatch;

  void check(UnaryCall& call) const;
  [[nodiscard]] bool knows(const std::string& service) const {
    return service.empty() || service == service_;
  }

  Context& context_;
  const std::string service_;
  std::atomic<bool> serving_ = false;
  Mutex mutex_;
  std::set<HealthWatch*> watches_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule::grpc_front

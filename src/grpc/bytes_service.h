#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/codegen/service_type.h>

#include "grpc/call_count.h"
#include "grpc/stream_call.h"
#include "grpc/unary_call.h"

namespace bascule::grpc_front {

// A service whose messages are bytes: protocol/ knows what is in them. Its calls come out of completion
// queues, so that the thread that reads a request also answers it.
// Thread-safety: thread-safe once the server has started.
class BytesService final : public grpc::Service {
 public:
  // Answers its call, once, now or later.
  using Unary = std::function<void(UnaryCall&)>;
  using Stream = StreamCall::Begin;

  explicit BytesService(CallCount& calls) : calls_(calls) {}

  // Before the server starts. `name`: /SERVICE/METHOD, kept by the caller.
  void add(const char* name, Unary handler);
  void add_stream(const char* name, Stream handler);
  // Takes calls on `queue` from now on, and as long as the server does; once for each queue.
  void open(grpc::ServerCompletionQueue& queue);

 private:
  friend class UnaryCall;
  friend class StreamCall;

  struct Method {
    Unary unary;  // one of them
    Stream stream;
  };
  void add(const char* name, grpc::internal::RpcMethod::RpcType type, Method method);

  CallCount& calls_;
  std::vector<Method> methods_;
};

}  // namespace bascule::grpc_front

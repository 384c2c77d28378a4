#pragma once

#include <atomic>
#include <memory>

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include "grpc/events.h"

namespace bascule::grpc_front {

class BytesService;

// A call with one request and one reply. Deletes itself when it was answered and gRPC is done with it.
// Thread-safety: finished from any thread, once; all else as Event.
class UnaryCall {
 public:
  // Waits on `queue` for the next call of that method. As each call that comes has another one wait in its
  // place, one of them is enough.
  static void wait_for(BytesService& service, int method, grpc::ServerCompletionQueue& queue);
  UnaryCall(BytesService& service, int method, grpc::ServerCompletionQueue& queue);
  ~UnaryCall();
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  [[nodiscard]] const grpc::ServerContextBase& context() const { return context_; }
  [[nodiscard]] const grpc::ByteBuffer& request() const { return request_; }
  // Set once nobody waits for the answer.
  [[nodiscard]] std::shared_ptr<const std::atomic<bool>> cancelled() const { return cancelled_; }

  // After one of these the call may be gone.
  void answer(const grpc::ByteBuffer& reply);
  void fail(const grpc::Status& status);

 private:
  void arrived(bool ok);
  void finished(bool ok);
  void done(bool ok);
  void one_less();

  BytesService& service_;
  const int method_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context_};
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  EventOf<UnaryCall> arrived_{*this, &UnaryCall::arrived};
  EventOf<UnaryCall> finished_{*this, &UnaryCall::finished};
  EventOf<UnaryCall> done_{*this, &UnaryCall::done};
  int to_come_ = 2;  // of the last two
};

}  // namespace bascule::grpc_front

#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include "grpc/events.h"

namespace bascule::grpc_front {

class BytesService;

// What is done with a stream. Each function is called on the thread of the stream's queue.
// Thread-safety: what it begins with its call may end before the function that begins it returns.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void read_done(bool ok) = 0;   // false: the client sends no more
  virtual void write_done(bool ok) = 0;  // false: nobody reads
  virtual void cancelled() = 0;          // nobody waits any more
};

// A call of messages in both directions. Deletes itself and its handler when that has finished it and nothing
// that was begun is still to come.
// Thread-safety: thread-safe, but for one read and one write at a time and one end.
class StreamCall {
 public:
  using Begin = std::function<void(StreamCall&)>;

  // As UnaryCall's.
  static void wait_for(BytesService& service, int method, grpc::ServerCompletionQueue& queue);
  StreamCall(BytesService& service, int method, grpc::ServerCompletionQueue& queue);
  ~StreamCall();
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  [[nodiscard]] const grpc::ServerContextBase& context() const { return context_; }

  // Before anything is begun; not needed for a call that is finished at once.
  void set_handler(std::unique_ptr<StreamHandler> handler) { handler_ = std::move(handler); }
  // The message stays where it is until that is done.
  void read(grpc::ByteBuffer& message);
  void write(const grpc::ByteBuffer& message);
  // Nothing is begun afterwards, and the call may be gone.
  void finish(const grpc::Status& status);

 private:
  void arrived(bool ok);
  void read_done(bool ok);
  void write_done(bool ok);
  void finished(bool ok);
  void done(bool ok);
  void one_less();

  BytesService& service_;
  const int method_;
  grpc::ServerCompletionQueue& queue_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  EventOf<StreamCall> arrived_{*this, &StreamCall::arrived};
  EventOf<StreamCall> read_{*this, &StreamCall::read_done};
  EventOf<StreamCall> write_{*this, &StreamCall::write_done};
  EventOf<StreamCall> finished_{*this, &StreamCall::finished};
  EventOf<StreamCall> done_{*this, &StreamCall::done};
  std::unique_ptr<StreamHandler> handler_;
  std::atomic<int> to_come_ = 2;  // the last two, and what was begun
};

}  // namespace bascule::grpc_front

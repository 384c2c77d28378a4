#include "grpc/bytes_service.h"

#include <utility>

#include <grpcpp/impl/rpc_service_method.h>

namespace bascule::grpc_front {

void BytesService::add(const char* name, Unary handler) {
  add(name, grpc::internal::RpcMethod::NORMAL_RPC, {.unary = std::move(handler), .stream = nullptr});
}

void BytesService::add_stream(const char* name, Stream handler) {
  add(name, grpc::internal::RpcMethod::BIDI_STREAMING, {.unary = nullptr, .stream = std::move(handler)});
}

void BytesService::add(const char* name, grpc::internal::RpcMethod::RpcType type, Method method) {
  auto description = std::make_unique<grpc::internal::RpcServiceMethod>(name, type, nullptr);
  AddMethod(description.release());  // the base class owns it
  MarkMethodRaw(static_cast<int>(methods_.size()));
  methods_.push_back(std::move(method));
}

void BytesService::open(grpc::ServerCompletionQueue& queue) {
  for (int i = 0; i < static_cast<int>(methods_.size()); ++i) {
    if (methods_[static_cast<std::size_t>(i)].unary) {
      UnaryCall::wait_for(*this, i, queue);
    } else {
      StreamCall::wait_for(*this, i, queue);
    }
  }
}

UnaryCall::UnaryCall(BytesService& service, int method, grpc::ServerCompletionQueue& queue)
    : service_(service), method_(method), queue_(queue) {
  service_.calls_.add();
}

UnaryCall::~UnaryCall() { service_.calls_.remove(); }

void UnaryCall::wait_for(BytesService& service, int method, grpc::ServerCompletionQueue& queue) {
  auto owned = std::make_unique<UnaryCall>(service, method, queue);
  UnaryCall* const call = owned.release();  // arrived, or the last of its events, takes it back
  call->context_.AsyncNotifyWhenDone(call->done_.tag());
  service.RequestAsyncUnary(method, &call->context_, &call->request_, &call->writer_, &queue, &queue,
                            call->arrived_.tag());
}

void UnaryCall::arrived(bool ok) {
  if (!ok) {  // the server stops
    const std::unique_ptr<UnaryCall> self(this);
    return;
  }
  wait_for(service_, method_, queue_);
  service_.methods_[static_cast<std::size_t>(method_)].unary(*this);
}

void UnaryCall::answer(const grpc::ByteBuffer& reply) {
  writer_.Finish(reply, grpc::Status::OK, finished_.tag());
}

void UnaryCall::fail(const grpc::Status& status) { writer_.FinishWithError(status, finished_.tag()); }

void UnaryCall::finished(bool /*ok*/) { one_less(); }

void UnaryCall::done(bool /*ok*/) {
  if (context_.IsCancelled()) *cancelled_ = true;
  one_less();
}

void UnaryCall::one_less() {
  if (--to_come_ > 0) return;
  const std::unique_ptr<UnaryCall> self(this);
}

StreamCall::StreamCall(BytesService& service, int method, grpc::ServerCompletionQueue& queue)
    : service_(service), method_(method), queue_(queue) {
  service_.calls_.add();
}

StreamCall::~StreamCall() { service_.calls_.remove(); }

void StreamCall::wait_for(BytesService& service, int method, grpc::ServerCompletionQueue& queue) {
  auto owned = std::make_unique<StreamCall>(service, method, queue);
  StreamCall* const call = owned.release();  // arrived, or the last of its events, takes it back
  call->context_.AsyncNotifyWhenDone(call->done_.tag());
  service.RequestAsyncBidiStreaming(method, &call->context_, &call->stream_, &queue, &queue,
                                    call->arrived_.tag());
}

void StreamCall::arrived(bool ok) {
  if (!ok) {  // the server stops
    const std::unique_ptr<StreamCall> self(this);
    return;
  }
  wait_for(service_, method_, queue_);
  service_.methods_[static_cast<std::size_t>(method_)].stream(*this);
}

void StreamCall::read(grpc::ByteBuffer& message) {
  ++to_come_;
  stream_.Read(&message, read_.tag());
}

void StreamCall::write(const grpc::ByteBuffer& message) {
  ++to_come_;
  stream_.Write(message, write_.tag());
}

void StreamCall::finish(const grpc::Status& status) { stream_.Finish(status, finished_.tag()); }

void StreamCall::read_done(bool ok) {
  handler_->read_done(ok);
  one_less();
}

void StreamCall::write_done(bool ok) {
  handler_->write_done(ok);
  one_less();
}

void StreamCall::finished(bool /*ok*/) { one_less(); }

void StreamCall::done(bool /*ok*/) {
  if (handler_ != nullptr && context_.IsCancelled()) handler_->cancelled();
  one_less();
}

void StreamCall::one_less() {
  if (--to_come_ > 0) return;
  const std::unique_ptr<StreamCall> self(this);
}

}  // namespace bascule::grpc_front

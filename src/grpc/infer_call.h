#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include "access/gate.h"
#include "base/clock.h"
#include "base/result.h"
#include "grpc/context.h"
#include "protocol/body.h"
#include "tracing/trace_context.h"

namespace bascule::grpc_front {

class StreamCall;
class UnaryCall;

// One ModelInfer call.
void answer_infer(Context& context, UnaryCall& call);

// One ModelStreamInfer call: many requests, each with one answer, in the order of the requests. `key`: whose;
// each request is charged to it.
void answer_infer_stream(Context& context, StreamCall& call, access::KeyPtr key);

// The answer to one message, however it came, and the id it belongs to.
struct Answered {
  Result<protocol::ReplyBody> reply = Error{};
  std::string id;
};
// What a message's call says of it.
struct Caller {
  std::optional<TimePoint> deadline;                   // of the call
  std::shared_ptr<const std::atomic<bool>> cancelled;  // set once nobody waits
  std::string_view method;                             // in full; outlives all calls
  std::optional<tracing::TraceContext> trace;          // nothing: it is not recorded
};
// Reads and runs one ModelInferRequest; `done` is called once, on any thread.
void infer(Context& context, const grpc::ByteBuffer& message, Caller caller,
           std::move_only_function<void(Answered)> done);

// When the call's deadline is over, on the requests' clock; nothing where it has none.
std::optional<TimePoint> deadline_of(const grpc::ServerContextBase& call, TimePoint now);

}  // namespace bascule::grpc_front

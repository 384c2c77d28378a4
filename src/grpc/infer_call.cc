#include "grpc/infer_call.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "base/date.h"
#include "grpc/bytes.h"
#include "grpc/unary_call.h"
#include "protocol/v2/messages.h"
#include "protocol/v2/shared_memory.h"
#include "tracing/traced_request.h"

namespace bascule::grpc_front {
namespace {

namespace v2 = protocol::v2;

constexpr std::string_view kModelInfer = "inference.GRPCInferenceService/ModelInfer";
constexpr Duration kLongest = std::chrono::hours(24);  // a deadline beyond this is none

Result<protocol::ReplyBody> reply_of(const serving::SharedMemory& memory,
                                     const content::InferResponse& answer, const v2::ReplyChoice& choice) {
  BASCULE_TRY(v2::write_shared(answer, choice, [&](const auto& part, std::span<const std::byte> bytes) {
    return memory.write(part, bytes);
  }));
  return v2::write_infer_message(answer, choice);
}

// Precondition: the caller's trace is recorded.
std::unique_ptr<tracing::TracedRequest> begin_record(Caller& caller, TimePoint started, std::string model) {
  return std::make_unique<tracing::TracedRequest>(tracing::TracedRequest{.context = *std::move(caller.trace),
                                                                         .started = started,
                                                                         .front = tracing::Front::kGrpc,
                                                                         .method = caller.method,
                                                                         .model = std::move(model)});
}

void add_answer(tracing::TracedRequest& request, content::InferResponse answer) {
  request.answered_by = std::move(answer.model);
  request.id = std::move(answer.id);
  request.stages = answer.stages;
  request.steps = std::move(answer.steps);
}

void record(const Context& context, std::unique_ptr<tracing::TracedRequest> request,
            const std::optional<Error>& error) {
  request->ended = context.services.clock.now();
  if (error) request->status = static_cast<int>(protocol::grpc_status(*error, context.options.dialect));
  context.options.tracer->add(std::move(*request));
}

}  // namespace

std::optional<TimePoint> deadline_of(const grpc::ServerContextBase& call, TimePoint now) {
  const Duration left =
      std::chrono::duration_cast<Duration>(call.deadline().time_since_epoch()) - unix_time();
  if (left > kLongest) return std::nullopt;
  return now + left;
}

void infer(Context& context, const grpc::ByteBuffer& message, Caller caller,
           std::move_only_function<void(Answered)> done) {
  const TimePoint started = context.services.clock.now();
  context.services.executor.give_way();
  const auto parse = [&]() -> Result<v2::InferCall> {
    BASCULE_ASSIGN(const protocol::RequestBody body, body_of(message, context.options.max_message_bytes));
    BASCULE_ASSIGN(v2::InferCall call, v2::parse_infer_message(body, context.options.max_typed_bytes));
    const serving::SharedMemory& memory = context.services.shared_memory;
    BASCULE_TRY(v2::read_shared(
        call, [&](const auto& part) { return memory.read(part); },
        [&](const auto& part) { return memory.check(part); }));
    return call;
  };
  Result<v2::InferCall> call = parse();
  if (!call) {
    context.accounts.refused("", "", kLabel, call.error());
    if (caller.trace) record(context, begin_record(caller, started, {}), call.error());
    return done({.reply = std::move(call).error(), .id = {}});
  }
  content::InferRequest& request = call->request;
  request.dialect = kLabel;
  // Calls of one connection may overlap: those that do are as many callers.
  const std::uint64_t number = context.begun.fetch_add(1, std::memory_order_relaxed);
  request.caller = context.under_way.fetch_add(1, std::memory_order_relaxed) == 0 ? 0 : number;
  request.cancelled = std::move(caller.cancelled);
  request.deadline = caller.deadline;
  if (call->timeout) {
    const TimePoint own = started + *call->timeout;
    request.deadline = std::min(request.deadline.value_or(own), own);
  }
  std::string model = request.model;
  std::string version = request.version;
  std::string id = request.id;
  std::unique_ptr<tracing::TracedRequest> traced;
  if (caller.trace) traced = begin_record(caller, started, model);
  context.services.inference.infer(
      std::move(request),
      [&context, started, choice = v2::ReplyChoice{.outputs = std::move(call->outputs)},
       model = std::move(model), version = std::move(version), id = std::move(id), traced = std::move(traced),
       done = std::move(done)](Result<content::InferResponse> answer, bool last) mutable {
        if (!last) return;
        context.under_way.fetch_sub(1, std::memory_order_relaxed);
        Result<protocol::ReplyBody> reply =
            answer ? reply_of(context.services.shared_memory, *answer, choice) : answer.error();
        if (reply) {
          context.accounts.answered(*answer, kLabel, started);
        } else {
          context.accounts.failed(model, version, kLabel, reply.error(), started);
        }
        if (traced != nullptr) {
          if (reply) add_answer(*traced, *std::move(answer));
          record(context, std::move(traced), reply ? std::nullopt : std::optional(reply.error()));
        }
        done({.reply = std::move(reply), .id = std::move(id)});
      });
}

void answer_infer(Context& context, UnaryCall& call) {
  infer(context, call.request(),
        {.deadline = deadline_of(call.context(), context.services.clock.now()),
         .cancelled = call.cancelled(),
         .method = kModelInfer,
         .trace = context.sample(call.context())},
        [&call, dialect = context.options.dialect](Answered answered) {
          if (answered.reply) {
            call.answer(buffer_of(*std::move(answered.reply)));
          } else {
            call.fail(status_of(answered.reply.error(), dialect));
          }
        });
}

}  // namespace bascule::grpc_front

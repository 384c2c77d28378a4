#include "grpc/service.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/server_callback.h>

#include "access/route_class.h"
#include "base/log_level.h"
#include "grpc/bytes.h"
#include "grpc/infer_call.h"
#include "protocol/v2/messages.h"
#include "protocol/v2/model_config.h"
#include "protocol/v2/model_load.h"
#include "protocol/v2/settings.h"
#include "protocol/v2/shared_memory.h"

namespace bascule::grpc_front {
namespace {

namespace v2 = protocol::v2;
using access::RouteClass;
using Reactor = grpc::ServerUnaryReactor;
using StreamReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
using Call = grpc::CallbackServerContext;
using Bytes = grpc::ByteBuffer;

// A call that ended before it began. Thread-safety: thread-safe.
class Refused final : public StreamReactor {
 public:
  explicit Refused(const grpc::Status& status) { Finish(status); }
  void OnDone() override { const std::unique_ptr<Refused> self(this); }
};

// Each call is handled as bytes: protocol/ knows what is in them.
// Thread-safety: thread-safe.
class InferenceService final : public grpc::Service {
 public:
  using Handler = Reactor* (InferenceService::*)(Call*, const Bytes*, Bytes*);
  struct Method {
    const char* name;
    RouteClass who;   // may call it
    Handler handler;  // null: not answered here
  };
  static const Method kMethods[];

  explicit InferenceService(Context& context);

 private:
  Reactor* ServerLive(Call* call, const Bytes* /*request*/, Bytes* reply) {
    return finish(*call, *reply, v2::write_flag_message(true));
  }
  Reactor* ServerReady(Call* call, const Bytes* /*request*/, Bytes* reply) {
    return finish(*call, *reply, v2::write_flag_message(control().ready().has_value()));
  }
  Reactor* ModelReady(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const v2::NamedCall named, v2::parse_named_message(body));
      const auto ready = control().model_ready(named.model, named.version);
      if (!ready && ready.error().reason != Reason::kModelNotReady) return ready.error();
      return v2::write_flag_message(ready.has_value());
    });
  }
  Reactor* ServerMetadata(Call* call, const Bytes* /*request*/, Bytes* reply) {
    return finish(*call, *reply,
                  v2::write_server_metadata_message(context_.options.server_name,
                                                    context_.options.server_version, memory().allowed()));
  }
  Reactor* ModelMetadata(Call* call, const Bytes* request, Bytes* reply) {
    return describe(*call, *request, *reply, [this](const v2::NamedCall& named) -> Result<std::string> {
      BASCULE_ASSIGN(const auto info, control().model(named.model, named.version));
      return v2::write_model_metadata_message(*info, control().ready_versions(named.model));
    });
  }
  Reactor* ModelConfig(Call* call, const Bytes* request, Bytes* reply) {
    return describe(*call, *request, *reply, [this](const v2::NamedCall& named) -> Result<std::string> {
      BASCULE_ASSIGN(const auto served, control().served(named.model, named.version));
      return v2::write_model_config_message(served);
    });
  }
  // A call about a loaded model; waits where the model loads on use.
  template <class Make>
  Reactor* describe(Call& call, const Bytes& request, Bytes& reply, Make make) {
    const auto body = body_of(request, context_.options.max_message_bytes);
    if (!body) return fail(call, body.error());
    const auto named = v2::parse_named_message(*body);
    if (!named) return fail(call, named.error());
    Reactor* const reactor = call.DefaultReactor();
    context_.services.inference.await(
        named->model, named->version, std::nullopt,
        [this, reactor, &reply, named = *named, make](const Result<void>& waited) {
          const Result<std::string> message = waited ? make(named) : Error(waited.error());
          if (message) {
            reply = buffer_of(*message);
          } else {
            context_.accounts.refused("", "", kLabel, message.error());
          }
          reactor->Finish(message ? grpc::Status::OK : status_of(message.error(), context_.options.dialect));
        });
    return reactor;
  }
  Reactor* ModelStatistics(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const v2::NamedCall named, v2::parse_named_message(body));
      BASCULE_ASSIGN(const auto all, context_.accounts.statistics(named.model, named.version));
      return v2::write_statistics_message(all);
    });
  }
  Reactor* RepositoryIndex(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const bool ready_only, v2::parse_index_message(body));
      return v2::write_index_message(control().models(), ready_only);
    });
  }
  Reactor* RepositoryModelLoad(Call* call, const Bytes* request, Bytes* reply) {
    *reply = buffer_of(std::string());
    return change(*call, *request, v2::parse_load_message, [this](v2::LoadCall call_read, auto done) {
      control().load(call_read.model, std::move(call_read.with), std::move(done));
    });
  }
  Reactor* RepositoryModelUnload(Call* call, const Bytes* request, Bytes* reply) {
    *reply = buffer_of(std::string());
    return change(*call, *request, v2::parse_unload_message,
                  [this](const std::string& name, auto done) { control().unload(name, std::move(done)); });
  }
  Reactor* TraceSetting(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const std::string model, v2::parse_trace_setting_message(body));
      if (!model.empty()) {
        const auto ready = control().model_ready(model, "");
        if (!ready && ready.error().reason == Reason::kUnknownModel) return ready.error();
      }
      return v2::write_trace_settings_message();
    });
  }
  Reactor* LogSettings(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [](const protocol::RequestBody& body) -> Result<std::string> {
      const log::Level now = log::level();
      BASCULE_ASSIGN(const log::Level wanted, v2::parse_log_settings_message(body, now));
      if (wanted != now) log::set_level(wanted);
      return v2::write_log_settings_message(log::level());
    });
  }
  Reactor* ModelInfer(Call* call, const Bytes* request, Bytes* reply) {
    return answer_infer(context_, *call, *request, *reply);
  }

  Reactor* SystemSharedMemoryStatus(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const std::string name, v2::parse_region_message(body));
      BASCULE_ASSIGN(const auto regions, memory().list(name));
      return v2::write_regions_message(regions);
    });
  }
  Reactor* SystemSharedMemoryRegister(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(auto region, v2::parse_register_message(body));
      BASCULE_TRY(memory().add(std::move(region)));
      return std::string();
    });
  }
  Reactor* SystemSharedMemoryUnregister(Call* call, const Bytes* request, Bytes* reply) {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const std::string name, v2::parse_region_message(body));
      if (name.empty()) {
        memory().remove_all();
      } else {
        memory().remove(name);
      }
      return std::string();
    });
  }
  // There is no CUDA memory: none is listed, and none to forget.
  Reactor* no_cuda_regions(Call* call, const Bytes* /*request*/, Bytes* reply) {
    return finish(*call, *reply, v2::write_regions_message({}));
  }
  Reactor* CudaSharedMemoryRegister(Call* call, const Bytes* /*request*/, Bytes* /*reply*/) {
    return fail(*call, {.code = Code::kUnsupported,
                        .message = "CUDA shared memory needs a GPU, which this server does not use; register "
                                   "system shared memory."});
  }

  serving::ControlService& control() const { return context_.services.control; }
  serving::SharedMemory& memory() const { return context_.services.shared_memory; }

  static Reactor* finish(Call& call, Bytes& reply, std::string message) {
    reply = buffer_of(std::move(message));
    Reactor* const reactor = call.DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  Reactor* fail(Call& call, const Error& error) const {
    context_.accounts.refused("", "", kLabel, error);
    Reactor* const reactor = call.DefaultReactor();
    reactor->Finish(status_of(error, context_.options.dialect));
    return reactor;
  }

  // A call that is answered at once. `make`: from the request's bytes to the reply's.
  template <class Make>
  Reactor* answer(Call& call, const Bytes& request, Bytes& reply, Make make) const {
    const auto body = body_of(request, context_.options.max_message_bytes);
    if (!body) return fail(call, body.error());
    auto message = make(*body);
    if (!message) return fail(call, message.error());
    return finish(call, reply, *std::move(message));
  }

  // Does with `act` what `parse` finds in the request; the reply is empty.
  template <class Parse, class Act>
  Reactor* change(Call& call, const Bytes& request, Parse parse, Act act) const {
    const auto body = body_of(request, context_.options.max_message_bytes);
    if (!body) return fail(call, body.error());
    auto asked = parse(*body);
    if (!asked) return fail(call, asked.error());
    Reactor* const reactor = call.DefaultReactor();
    act(*std::move(asked), [this, reactor](const Result<void>& done) {
      if (!done) context_.accounts.refused("", "", kLabel, done.error());
      reactor->Finish(done ? grpc::Status::OK : status_of(done.error(), context_.options.dialect));
    });
    return reactor;
  }

  static Error not_answered(std::string_view method) {
    return {.code = Code::kUnsupported, .message = fmt::format("'{}' is not answered yet.", method)};
  }
  void add(const char* name, grpc::internal::RpcMethod::RpcType type,
           std::unique_ptr<grpc::internal::MethodHandler> handler) {
    auto method = std::make_unique<grpc::internal::RpcServiceMethod>(name, type, nullptr);
    AddMethod(method.release());  // the base class owns both
    MarkMethodRawCallback(added_++, handler.release());
  }

  static constexpr const char* kStreamInfer = "/inference.GRPCInferenceService/ModelStreamInfer";

  Context& context_;
  int added_ = 0;
};

// Every call of the service but the one that streams.
const InferenceService::Method InferenceService::kMethods[] = {
    {"/inference.GRPCInferenceService/ModelInfer", RouteClass::kInfer, &InferenceService::ModelInfer},
    {"/inference.GRPCInferenceService/ServerLive", RouteClass::kHealth, &InferenceService::ServerLive},
    {"/inference.GRPCInferenceService/ServerReady", RouteClass::kHealth, &InferenceService::ServerReady},
    {"/inference.GRPCInferenceService/ModelReady", RouteClass::kMetadata, &InferenceService::ModelReady},
    {"/inference.GRPCInferenceService/ServerMetadata", RouteClass::kMetadata,
     &InferenceService::ServerMetadata},
    {"/inference.GRPCInferenceService/ModelMetadata", RouteClass::kMetadata,
     &InferenceService::ModelMetadata},
    {"/inference.GRPCInferenceService/ModelConfig", RouteClass::kMetadata, &InferenceService::ModelConfig},
    {"/inference.GRPCInferenceService/ModelStatistics", RouteClass::kStatistics,
     &InferenceService::ModelStatistics},
    {"/inference.GRPCInferenceService/RepositoryIndex", RouteClass::kMetadata,
     &InferenceService::RepositoryIndex},
    {"/inference.GRPCInferenceService/RepositoryModelLoad", RouteClass::kControl,
     &InferenceService::RepositoryModelLoad},
    {"/inference.GRPCInferenceService/RepositoryModelUnload", RouteClass::kControl,
     &InferenceService::RepositoryModelUnload},
    {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", RouteClass::kControl,
     &InferenceService::SystemSharedMemoryStatus},
    {"/inference.GRPCInferenceService/SystemSharedMemoryRegister", RouteClass::kControl,
     &InferenceService::SystemSharedMemoryRegister},
    {"/inference.GRPCInferenceService/SystemSharedMemoryUnregister", RouteClass::kControl,
     &InferenceService::SystemSharedMemoryUnregister},
    {"/inference.GRPCInferenceService/CudaSharedMemoryStatus", RouteClass::kControl,
     &InferenceService::no_cuda_regions},
    {"/inference.GRPCInferenceService/CudaSharedMemoryRegister", RouteClass::kControl,
     &InferenceService::CudaSharedMemoryRegister},
    {"/inference.GRPCInferenceService/CudaSharedMemoryUnregister", RouteClass::kControl,
     &InferenceService::no_cuda_regions},
    {"/inference.GRPCInferenceService/TraceSetting", RouteClass::kTrace, &InferenceService::TraceSetting},
    {"/inference.GRPCInferenceService/LogSettings", RouteClass::kLogs, &InferenceService::LogSettings},
};

// Whether a call may be made is decided here, for all methods alike.
InferenceService::InferenceService(Context& context) : context_(context) {
  for (const Method& method : kMethods) {
    add(method.name, grpc::internal::RpcMethod::NORMAL_RPC,
        std::make_unique<grpc::internal::CallbackUnaryHandler<Bytes, Bytes>>(
            [this, &method](Call* call, const Bytes* request, Bytes* reply) -> Reactor* {
              if (const auto refusal = context_.admit(method.who, *call).refusal)
                return fail(*call, *refusal);
              if (method.handler == nullptr) return fail(*call, not_answered(method.name));
              return (this->*method.handler)(call, request, reply);
            }));
  }
  add(kStreamInfer, grpc::internal::RpcMethod::BIDI_STREAMING,
      std::make_unique<grpc::internal::CallbackBidiHandler<Bytes, Bytes>>([this](
                                                                              Call* call) -> StreamReactor* {
        // Each request of the stream is charged by itself.
        access::Decision decision = context_.admit(RouteClass::kInfer, *call, false);
        if (decision.refusal) {
          context_.accounts.refused("", "", kLabel, *decision.refusal);
          auto refused = std::make_unique<Refused>(status_of(*decision.refusal, context_.options.dialect));
          return refused.release();  // OnDone takes it back
        }
        return answer_infer_stream(context_, *call, std::move(decision.key));
      }));
}

}  // namespace

std::unique_ptr<grpc::Service> make_inference_service(Context& context) {
  return std::make_unique<InferenceService>(context);
}

std::string inference_service_name() { return "inference.GRPCInferenceService"; }

}  // namespace bascule::grpc_front

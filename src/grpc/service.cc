#include "grpc/service.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

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

// Each call is handled as bytes: protocol/ knows what is in them.
// Thread-safety: thread-safe.
class Inference {
 public:
  using Handler = void (Inference::*)(UnaryCall&);
  struct Method {
    const char* name;
    RouteClass who;  // may call it
    Handler handler;
  };
  static const Method kMethods[];

  explicit Inference(Context& context) : context_(context) {}

  // Whether a call may be made is decided here, for all methods alike.
  void take(const Method& method, UnaryCall& call) {
    if (const auto refusal = context_.admit(method.who, call.context()).refusal) return fail(call, *refusal);
    (this->*method.handler)(call);
  }
  void take_stream(StreamCall& call) {
    // Each request of the stream is charged by itself.
    access::Decision decision = context_.admit(RouteClass::kInfer, call.context(), false);
    if (decision.refusal) {
      context_.accounts.refused("", "", kLabel, *decision.refusal);
      return call.finish(status_of(*decision.refusal, context_.options.dialect));
    }
    answer_infer_stream(context_, call, std::move(decision.key));
  }

 private:
  void server_live(UnaryCall& call) { finish(call, v2::write_flag_message(true)); }
  void server_ready(UnaryCall& call) { finish(call, v2::write_flag_message(control().ready().has_value())); }
  void model_ready(UnaryCall& call) {
    answer(call, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const v2::NamedCall named, v2::parse_named_message(body));
      const auto ready = control().model_ready(named.model, named.version);
      if (!ready && ready.error().reason != Reason::kModelNotReady) return ready.error();
      return v2::write_flag_message(ready.has_value());
    });
  }
  void server_metadata(UnaryCall& call) {
    finish(call, v2::write_server_metadata_message(context_.options.server_name,
                                                   context_.options.server_version, memory().allowed()));
  }
  void model_metadata(UnaryCall& call) {
    describe(call, [this](const v2::NamedCall& named) -> Result<std::string> {
      BASCULE_ASSIGN(const auto info, control().model(named.model, named.version));
      return v2::write_model_metadata_message(*info, control().ready_versions(named.model));
    });
  }
  void model_config(UnaryCall& call) {
    describe(call, [this](const v2::NamedCall& named) -> Result<std::string> {
      BASCULE_ASSIGN(const auto served, control().served(named.model, named.version));
      return v2::write_model_config_message(served);
    });
  }
  // A call about a loaded model; waits where the model loads on use.
  template <class Make>
  void describe(UnaryCall& call, Make make) {
    const auto body = body_of(call.request(), context_.options.max_message_bytes);
    if (!body) return fail(call, body.error());
    const auto named = v2::parse_named_message(*body);
    if (!named) return fail(call, named.error());
    context_.services.inference.await(named->model, named->version, std::nullopt,
                                      [this, &call, named = *named, make](const Result<void>& waited) {
                                        if (!waited) return fail(call, waited.error());
                                        Result<std::string> message = make(named);
                                        if (!message) return fail(call, message.error());
                                        finish(call, *message);
                                      });
  }
  void model_statistics(UnaryCall& call) {
    answer(call, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const v2::NamedCall named, v2::parse_named_message(body));
      BASCULE_ASSIGN(const auto all, context_.accounts.statistics(named.model, named.version));
      return v2::write_statistics_message(all);
    });
  }
  void repository_index(UnaryCall& call) {
    answer(call, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const bool ready_only, v2::parse_index_message(body));
      return v2::write_index_message(control().models(), ready_only);
    });
  }
  void repository_model_load(UnaryCall& call) {
    change(call, v2::parse_load_message, [this](v2::LoadCall call_read, auto done) {
      control().load(call_read.model, std::move(call_read.with), std::move(done));
    });
  }
  void repository_model_unload(UnaryCall& call) {
    change(call, v2::parse_unload_message,
           [this](const std::string& name, auto done) { control().unload(name, std::move(done)); });
  }
  void trace_setting(UnaryCall& call) {
    answer(call, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const std::string model, v2::parse_trace_setting_message(body));
      if (!model.empty()) {
        const auto ready = control().model_ready(model, "");
        if (!ready && ready.error().reason == Reason::kUnknownModel) return ready.error();
      }
      return v2::write_trace_settings_message();
    });
  }
  void log_settings(UnaryCall& call) {
    answer(call, [](const protocol::RequestBody& body) -> Result<std::string> {
      const log::Level now = log::level();
      BASCULE_ASSIGN(const log::Level wanted, v2::parse_log_settings_message(body, now));
      if (wanted != now) log::set_level(wanted);
      return v2::write_log_settings_message(log::level());
    });
  }
  void model_infer(UnaryCall& call) { answer_infer(context_, call); }

  void system_shared_memory_status(UnaryCall& call) {
    answer(call, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const std::string name, v2::parse_region_message(body));
      BASCULE_ASSIGN(const auto regions, memory().list(name));
      return v2::write_regions_message(regions);
    });
  }
  void system_shared_memory_register(UnaryCall& call) {
    answer(call, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(auto region, v2::parse_register_message(body));
      BASCULE_TRY(memory().add(std::move(region)));
      return std::string();
    });
  }
  void system_shared_memory_unregister(UnaryCall& call) {
    answer(call, [this](const protocol::RequestBody& body) -> Result<std::string> {
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
  void no_cuda_regions(UnaryCall& call) { finish(call, v2::write_regions_message({})); }
  void cuda_shared_memory_register(UnaryCall& call) {
    fail(call, {.code = Code::kUnsupported,
                .message = "CUDA shared memory needs a GPU, which this server does not use; register "
                           "system shared memory."});
  }

  serving::ControlService& control() const { return context_.services.control; }
  serving::SharedMemory& memory() const { return context_.services.shared_memory; }

  static void finish(UnaryCall& call, const std::string& message) { call.answer(buffer_of(message)); }
  void fail(UnaryCall& call, const Error& error) const {
    context_.accounts.refused("", "", kLabel, error);
    call.fail(status_of(error, context_.options.dialect));
  }

  // A call that is answered at once. `make`: from the request's bytes to the reply's.
  template <class Make>
  void answer(UnaryCall& call, Make make) const {
    const auto body = body_of(call.request(), context_.options.max_message_bytes);
    if (!body) return fail(call, body.error());
    auto message = make(*body);
    if (!message) return fail(call, message.error());
    finish(call, *message);
  }

  // Does with `act` what `parse` finds in the request; the reply is empty.
  template <class Parse, class Act>
  void change(UnaryCall& call, Parse parse, Act act) const {
    const auto body = body_of(call.request(), context_.options.max_message_bytes);
    if (!body) return fail(call, body.error());
    auto asked = parse(*body);
    if (!asked) return fail(call, asked.error());
    act(*std::move(asked), [this, &call](const Result<void>& done) {
      if (!done) return fail(call, done.error());
      finish(call, std::string());
    });
  }

  Context& context_;
};

// Every call of the service but the one that streams.
const Inference::Method Inference::kMethods[] = {
    {"/inference.GRPCInferenceService/ModelInfer", RouteClass::kInfer, &Inference::model_infer},
    {"/inference.GRPCInferenceService/ServerLive", RouteClass::kHealth, &Inference::server_live},
    {"/inference.GRPCInferenceService/ServerReady", RouteClass::kHealth, &Inference::server_ready},
    {"/inference.GRPCInferenceService/ModelReady", RouteClass::kMetadata, &Inference::model_ready},
    {"/inference.GRPCInferenceService/ServerMetadata", RouteClass::kMetadata, &Inference::server_metadata},
    {"/inference.GRPCInferenceService/ModelMetadata", RouteClass::kMetadata, &Inference::model_metadata},
    {"/inference.GRPCInferenceService/ModelConfig", RouteClass::kMetadata, &Inference::model_config},
    {"/inference.GRPCInferenceService/ModelStatistics", RouteClass::kStatistics,
     &Inference::model_statistics},
    {"/inference.GRPCInferenceService/RepositoryIndex", RouteClass::kMetadata, &Inference::repository_index},
    {"/inference.GRPCInferenceService/RepositoryModelLoad", RouteClass::kControl,
     &Inference::repository_model_load},
    {"/inference.GRPCInferenceService/RepositoryModelUnload", RouteClass::kControl,
     &Inference::repository_model_unload},
    {"/inference.GRPCInferenceService/SystemSharedMemoryStatus", RouteClass::kControl,
     &Inference::system_shared_memory_status},
    {"/inference.GRPCInferenceService/SystemSharedMemoryRegister", RouteClass::kControl,
     &Inference::system_shared_memory_register},
    {"/inference.GRPCInferenceService/SystemSharedMemoryUnregister", RouteClass::kControl,
     &Inference::system_shared_memory_unregister},
    {"/inference.GRPCInferenceService/CudaSharedMemoryStatus", RouteClass::kControl,
     &Inference::no_cuda_regions},
    {"/inference.GRPCInferenceService/CudaSharedMemoryRegister", RouteClass::kControl,
     &Inference::cuda_shared_memory_register},
    {"/inference.GRPCInferenceService/CudaSharedMemoryUnregister", RouteClass::kControl,
     &Inference::no_cuda_regions},
    {"/inference.GRPCInferenceService/TraceSetting", RouteClass::kTrace, &Inference::trace_setting},
    {"/inference.GRPCInferenceService/LogSettings", RouteClass::kLogs, &Inference::log_settings},
};

}  // namespace

std::unique_ptr<BytesService> make_inference_service(Context& context, CallCount& calls) {
  const auto inference = std::make_shared<Inference>(context);
  auto service = std::make_unique<BytesService>(calls);
  for (const Inference::Method& method : Inference::kMethods) {
    service->add(method.name, [inference, &method](UnaryCall& call) { inference->take(method, call); });
  }
  service->add_stream("/inference.GRPCInferenceService/ModelStreamInfer",
                      [inference](StreamCall& call) { inference->take_stream(call); });
  return service;
}

std::string inference_service_name() { return "inference.GRPCInferenceService"; }

}  // namespace bascule::grpc_front

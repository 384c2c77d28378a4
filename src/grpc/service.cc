#include "grpc/service.h"

#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <grpc_service.grpc.pb.h>

#include "grpc/bytes.h"
#include "grpc/infer_call.h"
#include "protocol/v2/messages.h"

namespace bascule::grpc_front {
namespace {

namespace v2 = protocol::v2;
using Wire = inference::GRPCInferenceService;
using Reactor = grpc::ServerUnaryReactor;
using Call = grpc::CallbackServerContext;
using Bytes = grpc::ByteBuffer;

// The calls that are answered, each as bytes: protocol/ knows what is in them. The others say that they are
// not implemented.
template <class Base>
using Health = Wire::WithRawCallbackMethod_ServerLive<
    Wire::WithRawCallbackMethod_ServerReady<Wire::WithRawCallbackMethod_ModelReady<Base>>>;
template <class Base>
using Metadata = Wire::WithRawCallbackMethod_ServerMetadata<
    Wire::WithRawCallbackMethod_ModelMetadata<Wire::WithRawCallbackMethod_ModelStatistics<Base>>>;
template <class Base>
using Infer = Wire::WithRawCallbackMethod_ModelInfer<Wire::WithRawCallbackMethod_ModelStreamInfer<Base>>;
template <class Base>
using Repository = Wire::WithRawCallbackMethod_RepositoryIndex<
    Wire::WithRawCallbackMethod_RepositoryModelLoad<Wire::WithRawCallbackMethod_RepositoryModelUnload<Base>>>;

class InferenceService final : public Health<Metadata<Infer<Repository<Wire::Service>>>> {
 public:
  explicit InferenceService(Context& context) : context_(context) {}

  Reactor* ServerLive(Call* call, const Bytes* /*request*/, Bytes* reply) override {
    return finish(*call, *reply, v2::write_flag_message(true));
  }
  Reactor* ServerReady(Call* call, const Bytes* /*request*/, Bytes* reply) override {
    return finish(*call, *reply, v2::write_flag_message(control().ready().has_value()));
  }
  Reactor* ModelReady(Call* call, const Bytes* request, Bytes* reply) override {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const v2::NamedCall named, v2::parse_named_message(body));
      const auto ready = control().model_ready(named.model, named.version);
      if (!ready && ready.error().reason != Reason::kModelNotReady) return ready.error();
      return v2::write_flag_message(ready.has_value());
    });
  }
  Reactor* ServerMetadata(Call* call, const Bytes* /*request*/, Bytes* reply) override {
    return finish(
        *call, *reply,
        v2::write_server_metadata_message(context_.options.server_name, context_.options.server_version));
  }
  // Waits where the model loads on use.
  Reactor* ModelMetadata(Call* call, const Bytes* request, Bytes* reply) override {
    const auto body = body_of(*request, context_.options.max_message_bytes);
    if (!body) return fail(*call, body.error());
    const auto named = v2::parse_named_message(*body);
    if (!named) return fail(*call, named.error());
    Reactor* const reactor = call->DefaultReactor();
    context_.services.inference.await(
        named->model, named->version, std::nullopt,
        [this, reactor, reply, model = named->model, version = named->version](const Result<void>& waited) {
          const auto message = [&]() -> Result<std::string> {
            BASCULE_TRY(waited);
            BASCULE_ASSIGN(const auto info, control().model(model, version));
            return v2::write_model_metadata_message(*info, control().ready_versions(model));
          }();
          if (message) {
            *reply = buffer_of(*message);
          } else {
            context_.accounts.refused("", "", kLabel, message.error());
          }
          reactor->Finish(message ? grpc::Status::OK : status_of(message.error(), context_.options.dialect));
        });
    return reactor;
  }
  Reactor* ModelStatistics(Call* call, const Bytes* request, Bytes* reply) override {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const v2::NamedCall named, v2::parse_named_message(body));
      BASCULE_ASSIGN(const auto all, context_.accounts.statistics(named.model, named.version));
      return v2::write_statistics_message(all);
    });
  }
  Reactor* RepositoryIndex(Call* call, const Bytes* request, Bytes* reply) override {
    return answer(*call, *request, *reply, [this](const protocol::RequestBody& body) -> Result<std::string> {
      BASCULE_ASSIGN(const bool ready_only, v2::parse_index_message(body));
      return v2::write_index_message(control().models(), ready_only);
    });
  }
  Reactor* RepositoryModelLoad(Call* call, const Bytes* request, Bytes* reply) override {
    *reply = buffer_of(std::string());
    return change(*call, *request, v2::parse_load_message, &serving::ControlService::load);
  }
  Reactor* RepositoryModelUnload(Call* call, const Bytes* request, Bytes* reply) override {
    *reply = buffer_of(std::string());
    return change(*call, *request, v2::parse_unload_message, &serving::ControlService::unload);
  }
  Reactor* ModelInfer(Call* call, const Bytes* request, Bytes* reply) override {
    return answer_infer(context_, *call, *request, *reply);
  }
  grpc::ServerBidiReactor<Bytes, Bytes>* ModelStreamInfer(Call* call) override {
    return answer_infer_stream(context_, *call);
  }

 private:
  serving::ControlService& control() const { return context_.services.control; }

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

  // Loads or unloads the model that `parse` finds in the request; the reply is empty.
  Reactor* change(Call& call, const Bytes& request,
                  Result<std::string> (*parse)(const protocol::RequestBody&),
                  void (serving::ControlService::*act)(const std::string&,
                                                       serving::ControlService::Done)) const {
    if (!context_.loopback) return fail(call, off_loopback());
    const auto body = body_of(request, context_.options.max_message_bytes);
    if (!body) return fail(call, body.error());
    const auto name = parse(*body);
    if (!name) return fail(call, name.error());
    Reactor* const reactor = call.DefaultReactor();
    (control().*act)(*name, [this, reactor](const Result<void>& done) {
      if (!done) context_.accounts.refused("", "", kLabel, done.error());
      reactor->Finish(done ? grpc::Status::OK : status_of(done.error(), context_.options.dialect));
    });
    return reactor;
  }

  [[nodiscard]] Error off_loopback() const {
    return {
        .code = Code::kUnauthenticated,
        .message = fmt::format("Models are loaded and unloaded on request only where the server listens on a "
                               "loopback address; this one listens on {}.",
                               context_.options.host),
        .reason = Reason::kAdminRefused};
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_inference_service(Context& context) {
  return std::make_unique<InferenceService>(context);
}

}  // namespace bascule::grpc_front

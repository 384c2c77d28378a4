#include "http/handlers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "http/openapi.h"
#include "protocol/rows/rows.h"
#include "protocol/ultralytics/ultralytics.h"
#include "protocol/v2/v2.h"

namespace bascule::http {
namespace {

namespace v2 = protocol::v2;
namespace ultralytics = protocol::ultralytics;
namespace rows = protocol::rows;

constexpr std::int64_t kLongestTimeoutMs = 86'400'000;  // a day
constexpr std::size_t kUnusedBody = 64ULL << 10U;       // of a body that the route does not look at

// Whether the route asks a model.
bool is_inference(Endpoint endpoint) {
  using enum Endpoint;
  return endpoint == kInfer || endpoint == kPredict || endpoint == kGenerate || endpoint == kGenerateStream;
}

Reply text_reply(std::string text, std::string_view content_type = kJson, unsigned status = 200) {
  return {.status = status, .content_type = content_type, .body = {.head = std::move(text)}};
}

// A call that the model takes, as one types it.
std::string example_call(const content::ModelInfo& model, const std::string& address) {
  if (!model.task.empty())
    return fmt::format("curl -F file=@picture.jpg {}/models/{}/predict", address, model.name);
  constexpr std::size_t kMostColumns = 64;  // of a line that one types
  if (model.rows == nullptr || model.rows->columns.size() > kMostColumns) {
    return fmt::format("curl {}/v2/models/{}", address, model.name);
  }
  std::string body;
  for (const char c : rows::example_body(*model.rows)) {
    if (c == '\'') {
      body += R"('\'')";
    } else {
      body += c;
    }
  }
  return fmt::format("curl -H 'Content-Type: application/json' -d '{}' {}/models/{}/predict", body, address,
                     model.name);
}

std::string_view state_name(content::ModelState state) {
  switch (state) {
    case content::ModelState::kLoading: return "loading";
    case content::ModelState::kReady: return "ready";
    case content::ModelState::kFailed: return "failed";
    case content::ModelState::kUnloaded: return "unloaded";
  }
  return "unknown";
}

}  // namespace

protocol::Dialect Handlers::dialect_of(const Route& route) const {
  const bool triton = options_.triton_statuses && route.dialect == protocol::Dialect::kV2;
  return triton ? protocol::Dialect::kTriton : route.dialect;
}

Refusal Handlers::refusal_of(const Route& route, unsigned status, Error error) const {
  return {.status = status, .error = std::move(error), .dialect = dialect_of(route), .label = route.label};
}

// The one place where it is decided who may ask for what: before anything else of a request is looked at.
std::expected<access::KeyPtr, Refusal> Handlers::admit_caller(const Route& route,
                                                              const RequestHead& head) const {
  access::Decision decision =
      gate_->admit(route.who, {.loopback = loopback_,
                               .listens = options_.host,
                               .unsafe = route.method != Method::kGet,
                               .origin = head.origin,
                               .host = head.host,
                               .key = access::sent_key(head.authorization, head.api_key)});
  if (!decision.refusal) return std::move(decision.key);
  const unsigned status = protocol::http_status(*decision.refusal, dialect_of(route));
  Refusal refusal = refusal_of(route, status, *std::move(decision.refusal));
  refusal.key = std::move(decision.key);
  return std::unexpected(std::move(refusal));
}

// A browser asks without a key, and of any path: whether there is one, the request itself will tell.
std::expected<Admission, Refusal> Handlers::admit_preflight(const RequestHead& head) const {
  if (!shared_with(head.origin).empty()) {
    return Admission{.match = {.route = &preflight()}, .limit = 0, .kind = "a request that needs no body"};
  }
  return std::unexpected(refusal_of(
      preflight(), 403,
      {.code = Code::kUnauthenticated,
       .message = fmt::format("Web pages of '{}' may not ask here; --cors-origin names those that may.",
                              text::shortened(head.origin)),
       .reason = Reason::kForbidden}));
}

// A request whose model has more to do than it may: told now, its body need not come.
std::optional<Refusal> Handlers::refuse_for_queue(const Match& match, const RequestHead& head) const {
  const Route& route = *match.route;
  if (!is_inference(route.endpoint)) return std::nullopt;
  if (route.dialect == protocol::Dialect::kHub) return std::nullopt;  // its body names the model
  content::Kind kind = content::Kind::kTensors;
  if (route.endpoint == Endpoint::kPredict) {
    kind = rows::brings_rows(head.content_type, {}) ? content::Kind::kRows : content::Kind::kPicture;
  }
  std::optional<Error> error = services_.inference.would_refuse(match.model, match.version, kind);
  if (!error) return std::nullopt;
  const auto model = services_.control.model(error->fields.name, match.version);
  const unsigned status = protocol::http_status(*error, dialect_of(route));
  Refusal refusal = refusal_of(route, status, *std::move(error));
  if (model) {
    refusal.model = (*model)->name;
    refusal.version = (*model)->version;
  }
  return refusal;
}

// How large the body may be, by what the route does with it.
void Handlers::limit_body(Admission& admission) const {
  switch (admission.match.route->endpoint) {
    case Endpoint::kInfer:
      admission.kind = admission.json_length ? "binary data" : "JSON";
      admission.limit = admission.json_length ? options_.max_binary_bytes : options_.max_json_bytes;
      break;
    case Endpoint::kPredict:
      admission.kind = "pictures";
      admission.limit = options_.max_binary_bytes;
      break;
    case Endpoint::kModelLoad:  // it may bring a whole model
      admission.kind = "models";
      admission.limit = options_.max_binary_bytes;
      break;
    case Endpoint::kGenerate:
    case Endpoint::kGenerateStream:
      admission.kind = "JSON";
      admission.limit = options_.max_json_bytes;
      break;
    case Endpoint::kLogging:
    case Endpoint::kTraceSetting:
      admission.kind = "settings";
      admission.limit = kUnusedBody;
      break;
    case Endpoint::kBasketLine:
    case Endpoint::kBasketAnswer:
      admission.kind = "lines";
      admission.limit = kUnusedBody;
      break;
    case Endpoint::kBasketFrame:
    case Endpoint::kApplicationPush:
      admission.kind = "pictures";
      admission.limit = options_.max_binary_bytes;
      break;
    default: admission.kind = "a request that needs no body"; admission.limit = kUnusedBody;
  }
}

std::expected<Admission, Refusal> Handlers::admit(const RequestHead& head,
                                                  std::optional<std::uint64_t> length, bool arrived) const {
  if (head.method_name == "OPTIONS" && !head.origin.empty() && !head.asked_method.empty()) {
    return admit_preflight(head);
  }
  auto match = match_route(head);
  if (!match) return std::unexpected(std::move(match).error());
  Admission admission{.match = *std::move(match)};
  auto key = admit_caller(*admission.match.route, head);
  if (!key) return std::unexpected(std::move(key).error());
  admission.key = *key;
  auto known = admit_known(std::move(admission), head, length, arrived);
  if (!known) known.error().key = *std::move(key);
  return known;
}

// What else is wrong with a request of a caller who may ask.
std::expected<Admission, Refusal> Handlers::admit_known(Admission admission, const RequestHead& head,
                                                        std::optional<std::uint64_t> length,
                                                        bool arrived) const {
  const Route& route = *admission.match.route;
  if (options_.metrics_only && route.endpoint != Endpoint::kMetrics) {
    return std::unexpected(refusal_of(
        route, 404,
        not_found(
            fmt::format("Port {} answers GET /metrics only; models are served on another.", options_.port),
            Reason::kUnknownRoute)));
  }
  if (!head.content_encoding.empty() && !text::equals_ignoring_case(head.content_encoding, "identity")) {
    admission.coding = parse_compression(head.content_encoding);
    if (!admission.coding) {
      return std::unexpected(
          refusal_of(route, 415,
                     {.code = Code::kUnsupported,
                      .message = fmt::format("Content-Encoding '{}' is not read; use gzip, deflate, or none.",
                                             text::shortened(head.content_encoding, 40)),
                      .reason = Reason::kUnsupportedMedia}));
    }
  }
  if (!head.json_length.empty() && route.endpoint == Endpoint::kInfer) {
    const auto value = text::parse_int(head.json_length);
    if (!value || *value < 0) {
      return std::unexpected(refusal_of(
          route, 400,
          invalid_argument(fmt::format("Inference-Header-Content-Length is '{}'; it must be the number of "
                                       "bytes of JSON in front of the binary data.",
                                       text::shortened(head.json_length, 40)))));
    }
    admission.json_length = static_cast<std::size_t>(*value);
  }
  if (!head.timeout_ms.empty()) {
    const auto value = text::parse_int(head.timeout_ms);
    if (!value || *value < 1 || *value > kLongestTimeoutMs) {
      return std::unexpected(
          refusal_of(route, 400,
                     invalid_argument(
                         fmt::format("Request-Timeout-Ms is '{}'; it must be a number of milliseconds from 1 "
                                     "to {}.",
                                     text::shortened(head.timeout_ms, 40), kLongestTimeoutMs))));
    }
    admission.timeout = std::chrono::milliseconds(*value);
  }
  limit_body(admission);
  if (length && *length > admission.limit) return std::unexpected(too_large(admission, length));
  // Of a body that was read already nothing is saved: the queue itself lets it in or refuses it.
  if (arrived) return admission;
  if (auto refusal = refuse_for_queue(admission.match, head)) return std::unexpected(*std::move(refusal));
  return admission;
}

Refusal Handlers::too_large(const Admission& admission, std::optional<std::uint64_t> size) const {
  const std::string limit = fmt::format("{}", admission.limit);
  const std::string got = size ? fmt::format("{}", *size) : "more";
  const bool json = admission.match.route->endpoint == Endpoint::kInfer && !admission.json_length;
  return refusal_of(
      *admission.match.route, 413,
      {.code = Code::kPayloadTooLarge,
       .message =
           fmt::format("The body has {} bytes; the limit for {} is {}.{}", size ? got : "more than " + limit,
                       admission.kind, limit,
                       json ? fmt::format(" Send tensors as binary data, up to {} bytes, or split the batch.",
                                          options_.max_binary_bytes)
                            : " Send less at a time."),
       .reason = Reason::kBodyTooLarge,
       .fields = {.got = got, .limit = limit}});
}

Reply Handlers::refuse(const Refusal& refusal) {
  const metrics::Asked labels{.model = refusal.model, .version = refusal.version, .dialect = refusal.label};
  if (refusal.model.empty()) {
    services_.metrics.request_refused(labels, refusal.error);
  } else {
    services_.metrics.request_failed(labels, refusal.error, Duration{}, services_.clock.now());
  }
  Reply reply = text_reply(protocol::error_body(refusal.error, refusal.dialect), kJson, refusal.status);
  if (refusal.status == 405) reply.allow = refusal.error.fields.expected;
  reply.retry_after = refusal.error.fields.retry_after;
  return reply;
}

Reply Handlers::fail(const Match& match, const Error& error, TimePoint started) {
  const Route& route = *match.route;
  if (is_inference(route.endpoint)) {
    accounts_.failed(match.model, match.version, route.label, error, started);
  } else {
    accounts_.refused(match.model, match.version, route.label, error);
  }
  Reply reply = text_reply(protocol::error_body(error, dialect_of(route)), kJson,
                           protocol::http_status(error, dialect_of(route)));
  reply.retry_after = error.fields.retry_after;
  return reply;
}

Reply Handlers::finish(const Match& match, Result<protocol::ReplyBody>&& body,
                       const content::InferResponse& answer, TimePoint started) {
  if (!body) return fail(match, body.error(), started);
  accounts_.answered(answer, match.route->label, started);
  Reply reply{.body = *std::move(body), .stages = answer.stages};
  if (options_.tracer != nullptr) {
    reply.answered = std::make_unique<Answered>(answer.model, answer.id, answer.steps);
  }
  if (reply.body.binary) reply.content_type = kBinary;
  return reply;
}

void Handlers::dispatch(const Admission& admission, const RequestHead& head, protocol::RequestBody body,
                        TimePoint started, Done done) {
  switch (admission.match.route->endpoint) {
    case Endpoint::kModelMetadata:
      return when_loaded(
          admission, started,
          [self = shared_from_this(), match = admission.match, started](Done next) mutable {
            next(self->model_metadata(match, started));
          },
          std::move(done));
    case Endpoint::kModelConfig:
      return when_loaded(
          admission, started,
          [self = shared_from_this(), match = admission.match, started](Done next) mutable {
            next(self->model_config(match, started));
          },
          std::move(done));
    case Endpoint::kInfer:
      if (admission.json_length != 0U) return infer(admission, head, body, started, std::move(done));
      // The raw form can only be read by who knows the model.
      return when_loaded(
          admission, started,
          [self = shared_from_this(), admission, body = std::move(body), started,
           rest = RequestHead{.connection = head.connection, .gone = head.gone}](Done next) mutable {
            self->infer(admission, rest, body, started, std::move(next));
          },
          std::move(done));
    case Endpoint::kGenerate:
    case Endpoint::kGenerateStream:
      return when_loaded(
          admission, started,
          [self = shared_from_this(), admission, body = std::move(body), started,
           rest = RequestHead{.connection = head.connection, .gone = head.gone}](Done next) mutable {
            self->generate(admission, rest, body, started, std::move(next));
          },
          std::move(done));
    case Endpoint::kPredict: return predict(admission, head, body, started, std::move(done));
    case Endpoint::kModelLoad:
    case Endpoint::kModelUnload: return control(admission, body, started, std::move(done));
    case Endpoint::kMetrics: return expose(std::move(done));
    case Endpoint::kLogging: return done(logging(admission, body, started));
    case Endpoint::kTraceSetting: return done(tracing(admission, body, started));
    case Endpoint::kRepositoryIndex: return done(repository_index(admission.match, body, started));
    case Endpoint::kSharedMemoryStatus:
    case Endpoint::kSharedMemoryRegister:
    case Endpoint::kSharedMemoryUnregister:
    case Endpoint::kCudaMemoryStatus:
    case Endpoint::kCudaMemoryRegister:
    case Endpoint::kCudaMemoryUnregister: return done(shared_memory(admission.match, body, started));
    case Endpoint::kApplicationList:
    case Endpoint::kApplication:
    case Endpoint::kApplicationFrame:
    case Endpoint::kApplicationEvents:
    case Endpoint::kApplicationDays:
    case Endpoint::kApplicationPush:
    case Endpoint::kApplicationStart:
    case Endpoint::kApplicationSendAgain:
    case Endpoint::kApplicationStop: return application(admission, head, body, started, std::move(done));
    case Endpoint::kBasketBegin:
    case Endpoint::kBasket:
    case Endpoint::kBasketReceipt:
    case Endpoint::kBasketFrame:
    case Endpoint::kBasketLine:
    case Endpoint::kBasketAnswer:
    case Endpoint::kBasketRemove:
    case Endpoint::kBasketClose: return till(admission, head, body, started, std::move(done));
    default: return done(look_up(admission, head, started));
  }
}

void Handlers::elsewhere(const Match& match, TimePoint started, std::move_only_function<void(Done)> then,
                         Done done) {
  // Shared: a refused post leaves nothing of what it was given.
  const auto waiting = std::make_shared<Done>(std::move(done));
  const auto posted =
      services_.executor.post([waiting, then = std::move(then)]() mutable { then(std::move(*waiting)); });
  if (!posted) (*waiting)(fail(match, posted.error(), started));
}

void Handlers::when_loaded(const Admission& admission, TimePoint started,
                           std::move_only_function<void(Done)> then, Done done) {
  const Match& match = admission.match;
  std::optional<TimePoint> deadline;
  if (admission.timeout) deadline = started + *admission.timeout;
  services_.inference.await(match.model, match.version, deadline,
                            [self = shared_from_this(), match, started, then = std::move(then),
                             done = std::move(done)](const Result<void>& waited) mutable {
                              if (!waited) return done(self->fail(match, waited.error(), started));
                              then(std::move(done));
                            });
}

void Handlers::address(content::InferRequest& request, const Admission& admission, const RequestHead& head,
                       TimePoint started) {
  const Match& match = admission.match;
  if (!match.model.empty()) request.model = match.model;  // else the body may have named it
  request.version = match.version;
  request.dialect = match.route->label;
  request.caller = head.connection;
  request.cancelled = head.gone;
  if (admission.timeout) request.deadline = started + *admission.timeout;
}

void Handlers::infer(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
                     TimePoint started, Done done) {
  const Match& match = admission.match;
  const auto parse = [&]() -> Result<v2::InferCall> {
    if (admission.json_length != 0U) return v2::parse_infer(body, admission.json_length);
    BASCULE_ASSIGN(const auto model, services_.control.model(match.model, match.version));
    return v2::parse_raw_infer(body, *model);
  };
  Result<v2::InferCall> call = parse();
  if (!call) return done(fail(match, call.error(), started));
  if (const auto read = read_shared(*call); !read) return done(fail(match, read.error(), started));
  address(call->request, admission, head, started);
  if (call->timeout) {
    const TimePoint deadline = started + *call->timeout;
    call->request.deadline = std::min(call->request.deadline.value_or(deadline), deadline);
  }
  v2::ReplyChoice choice{.outputs = std::move(call->outputs), .binary_outputs = call->binary_outputs};
  services_.inference.infer(
      std::move(call->request),
      [self = shared_from_this(), match, choice = std::move(choice), started, done = std::move(done)](
          Result<content::InferResponse> answer, bool last) mutable {
        if (!last) return;
        if (!answer) return done(self->fail(match, answer.error(), started));
        done(self->finish(match, self->reply_of(*answer, choice), *answer, started));
      });
}

Reply Handlers::look_up(const Admission& admission, const RequestHead& head, TimePoint started) {
  const Match& match = admission.match;
  switch (match.route->endpoint) {
    case Endpoint::kLive: return text_reply(v2::write_live());
    case Endpoint::kReady: {
      Result<void> ready = services_.control.ready();
      if (!ready)
        services_.metrics.request_refused({.model = {}, .version = {}, .dialect = match.route->label},
                                          ready.error());
      // Probes have no key; what is loaded is told to those who have one.
      if (!ready && gate_->wants_keys() && admission.key == nullptr) {
        ready = Error{.code = Code::kUnavailable, .message = "Not everything is ready."};
      }
      return text_reply(v2::write_ready(ready), kJson, ready ? 200 : 503);
    }
    case Endpoint::kServerMetadata:
      return text_reply(v2::write_server_metadata(options_.server_name, options_.server_version,
                                                  services_.shared_memory.allowed()));
    case Endpoint::kModelList: {
      std::vector<std::string> names;
      for (content::ModelStatus& status : services_.control.models()) {
        if (names.empty() || names.back() != status.name) names.push_back(std::move(status.name));
      }
      return text_reply(v2::write_model_list(names));
    }
    case Endpoint::kModelReady: return model_ready(match, started);
    case Endpoint::kDeploymentHealth: return deployment_health(match, started);
    case Endpoint::kStatistics: return statistics(match, started);
    case Endpoint::kPreflight: return {.status = 204, .preflight = true};
    case Endpoint::kOpenApi: return text_reply(openapi_document(options_.server_version));
    default: return text_reply(index_page(head), kText);
  }
}

Reply Handlers::model_metadata(const Match& match, TimePoint started) {
  const auto model = services_.control.model(match.model, match.version);
  if (!model) return fail(match, model.error(), started);
  return text_reply(v2::write_model_metadata(**model, services_.control.ready_versions(match.model)));
}

Reply Handlers::model_ready(const Match& match, TimePoint started) {
  const auto model = services_.control.model_ready(match.model, match.version);
  if (model) return text_reply(v2::write_model_ready(match.model, {}));
  Reply reply = fail(match, model.error(), started);
  if (model.error().reason == Reason::kModelNotReady) {
    reply.body.head = v2::write_model_ready(match.model, Error(model.error()));
  }
  return reply;
}

Reply Handlers::deployment_health(const Match& match, TimePoint started) {
  const auto ready = services_.control.model_ready(match.model, match.version);
  if (!ready && ready.error().reason != Reason::kModelNotReady) return fail(match, ready.error(), started);
  return text_reply(ultralytics::write_health(ready, services_.clock.now() - started));
}

Reply Handlers::statistics(const Match& match, TimePoint started) {
  const auto all = accounts_.statistics(match.model, match.version);
  if (!all) return fail(match, all.error(), started);
  return text_reply(v2::write_statistics(*all));
}

// Applications ask the disk what waits, for which no reader of requests may wait. Metrics are wanted most
// when nothing else is taken any more.
void Handlers::expose(Done done) {
  if (options_.applications == nullptr) return done(text_reply(exposition(), kExposition));
  const auto waiting = std::make_shared<Done>(std::move(done));
  const auto posted = services_.executor.post_brief(
      [self = shared_from_this(), waiting] { (*waiting)(text_reply(self->exposition(), kExposition)); });
  if (!posted) (*waiting)(text_reply(exposition(), kExposition));
}

std::string Handlers::exposition() {
  std::vector<metrics::ModelNow> models;
  for (content::ModelStatus& status : services_.control.models()) {
    const auto model = services_.control.model(status.name, status.version);
    models.push_back({.name = std::move(status.name),
                      .version = std::move(status.version),
                      .state = state_name(status.state),
                      .file_bytes = model ? (*model)->file_bytes : 0,
                      .memory_bytes = status.memory_bytes});
  }
  for (const auto& [model, requests] : services_.inference.waiting()) {
    // A reloaded version has two queues while the old one runs dry.
    const auto now = std::ranges::find_if(models, [&](const metrics::ModelNow& each) {
      return each.name == model->name && each.version == model->version;
    });
    if (now != models.end()) now->waiting += requests;
  }
  return services_.metrics.render(models, applications_now());
}

std::string Handlers::address_of(const RequestHead& head) const {
  return fmt::format("{}://{}", options_.tls != nullptr ? "https" : "http",
                     head.host.empty() ? fmt::format("{}:{}", options_.host, options_.port)
                                       : text::escape_controls(text::shortened(head.host)));
}

Error Handlers::with_example(Error error, const Match& match, const std::string& address) const {
  if (error.reason != Reason::kWrongKind) return error;
  const auto model = services_.control.model(error.fields.name, match.version);
  if (model) error.message += fmt::format(" Try: {}", example_call(**model, address));
  return error;
}

std::string Handlers::index_page(const RequestHead& head) const {
  std::string out = fmt::format("{} {}\n\nModels:\n", options_.server_name, options_.server_version);
  std::string example;
  for (const content::ModelStatus& status : services_.control.models()) {
    out += fmt::format("  {} version {}: {}{}{}\n", status.name, status.version, state_name(status.state),
                       status.reason.empty() ? "" : ": ", text::escape_controls(status.reason));
    const auto model = services_.control.model(status.name, status.version);
    if (!model || !example.empty()) continue;
    example = example_call(**model, address_of(head));
  }
  out += "\nRoutes:\n";
  for (const Route& route : routes()) {
    out += fmt::format("  {:4} {}\n", route.method == Method::kGet ? "GET" : "POST", route.pattern);
  }
  if (!example.empty()) out += fmt::format("\nTry:\n  {}\n", example);
  return out;
}

}  // namespace bascule::http

#include "http/openapi.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "http/openapi_schemas.h"
#include "http/reply.h"
#include "http/route.h"

namespace bascule::http {
namespace {

using enum Endpoint;

// What a route does, for people and generators. Schemas are names of openapi_components().
// Thread-safety: immutable.
struct Operation {
  Endpoint endpoint;
  std::string_view summary;
  std::string_view answer;           // schema
  std::string_view request = {};     // schema; empty: it takes no body
  bool needs_body = false;           // else the body may be left out
  std::string_view also = {};        // a second content type of the answer
  std::string_view content = kJson;  // of the answer
};

constexpr Operation kOperations[] = {
    {kInfer, "Run a model on tensors; with Inference-Header-Content-Length also as binary data.",
     "InferAnswer", "InferRequest", true, kBinary},
    {kPredict,
     "Show a model a picture, a video, rows or a sentence; named boxes come back, or an answer for each row.",
     "Prediction", "Picture", true, kLines},
    {kDeploymentHealth, "Whether a model would answer.", "DeploymentHealth"},
    {kLive, "Whether the server runs.", "Live"},
    {kReady, "Whether at least one model serves and none is loading.", "Ready"},
    {kServerMetadata, "Name, version and extensions of the server.", "ServerMetadata"},
    {kModelList, "Names of all models.", "ModelList"},
    {kModelMetadata, "Inputs, outputs and versions of a model.", "ModelMetadata"},
    {kModelConfig, "The model's configuration in Triton's terms.", "ModelConfig"},
    {kModelReady, "Whether a request to the model would be answered.", "Ready"},
    {kStatistics, "What models did since the server started.", "Statistics"},
    {kMetrics, "Counters and histograms for Prometheus.", "Text", {}, false, {}, kExposition},
    {kRepositoryIndex, "All models with their state, and why one does not serve.", "Index", "IndexRequest"},
    {kGenerate, "Give a model of texts one text; another comes back.", "GenerateAnswer", "GenerateRequest",
     true},
    {kGenerateStream, "The same as server-sent events.", "Text", "GenerateRequest", true, {}, kEvents},
    {kLogging, "How much is logged; only the level can be changed.", "Settings", "Settings"},
    {kTraceSetting, "Trace settings: requests are not traced.", "Settings", "Settings"},
    {kModelLoad, "Load a model, or load it anew.", "Nothing", "ControlRequest"},
    {kModelUnload, "Take a model out; requests in flight finish.", "Nothing", "ControlRequest"},
    {kSharedMemoryStatus, "Shared memory that clients registered.", "Regions"},
    {kSharedMemoryRegister, "Register POSIX shared memory (--allow-client-shm).", "Nothing",
     "RegisterRequest", true},
    {kSharedMemoryUnregister, "Forget one region, or all.", "Nothing"},
    {kCudaMemoryStatus, "CUDA memory that clients registered: none.", "Regions"},
    {kCudaMemoryRegister, "Refused: there is no GPU.", "Nothing", "Document"},
    {kCudaMemoryUnregister, "Forget CUDA memory, of which there is none.", "Nothing"},
    {kApplicationList, "The applications with their states and counters.", "Applications"},
    {kApplication, "One application: state, counters, the rules' last values, what its last frame showed.",
     "Application"},
    {kApplicationFrame, "The last frame with what was found drawn on it.", "File", {}, false, {}, kJpeg},
    {kApplicationEvents,
     "The last events; as server-sent events where Accept asks for them.",
     "Events",
     {},
     false,
     kEvents},
    {kApplicationDays,
     "What was counted on each day: frames, objects by class, events by rule; also as CSV.",
     "Days",
     {},
     false,
     kCsv},
    {kApplicationPush, "Give an application a picture; the answer has the frame's number.", "Pushed",
     "PushedFile", true},
    {kApplicationStart, "Start an application.", "Application"},
    {kApplicationStop, "Stop an application, after the frame that it looks at.", "Application"},
    {kApplicationSendAgain, "Send events again that receivers had refused; the answer has how many.",
     "SentAgain"},
    {kBasketBegin, "Begin a basket; Idempotency-Key makes it one however often it is asked for.", "Basket"},
    {kBasket, "A basket with its lines and totals.", "Basket"},
    {kBasketReceipt, "A basket's receipt, for a printer.", "Text", {}, false, {}, kText},
    {kBasketFrame, "Add what a picture shows, with what the scale says of it.", "Basket", "WeighedFile",
     true},
    {kBasketLine, "Add a line that a person says.", "Basket", "BasketLine", true},
    {kBasketAnswer, "Answer the question of a line.", "Basket", "BasketLine", true},
    {kBasketRemove, "Take a line out.", "Basket"},
    {kBasketClose, "Close a basket: nothing in it changes from then on.", "Basket"},
    {kOpenApi, "This document.", "Document"},
    {kIndex, "What is served, as text.", "Text", {}, false, {}, kText},
};

const Operation& operation_of(Endpoint endpoint) {
  const auto* const found = std::ranges::find(kOperations, endpoint, &Operation::endpoint);
  BASCULE_CHECK(found != std::end(kOperations));  // a test asks for all
  return *found;
}

void append_content(std::string& out, std::string_view type, std::string_view schema) {
  fmt::format_to(std::back_inserter(out), R"("{}":{{"schema":{{"$ref":"#/components/schemas/{}"}}}})", type,
                 schema);
}

constexpr std::string_view kDaysQuery =
    R"({"name":"format","in":"query","schema":{"type":"string","enum":["json","csv"],"default":"json"}},)"
    R"({"name":"days","in":"query","schema":{"type":"integer","minimum":1,"maximum":400,"default":400}})";

// The names in braces of a pattern, and what the query may say.
void append_parameters(std::string& out, std::string_view pattern, std::string_view query) {
  out += R"("parameters":[)";
  bool first = true;
  for (std::size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at)) {
    const std::size_t end = pattern.find('}', at);
    const std::string_view name = pattern.substr(at + 1, end - at - 1);
    fmt::format_to(
        std::back_inserter(out),
        R"({}{{"name":"{}","in":"path","required":true,"schema":{{"type":"string","minLength":1}}}})",
        first ? "" : ",", name);
    first = false;
    at = end;
  }
  if (!query.empty() && !first) out += ',';
  out += query;
  out += "],";
}

void append_request(std::string& out, const Route& route, const Operation& operation) {
  if (operation.request.empty()) return;
  fmt::format_to(std::back_inserter(out), R"("requestBody":{{"required":{},"content":{{)",
                 operation.needs_body);
  if (route.endpoint == kApplicationPush) {
    append_content(out, kBinary, "File");
    out += ',';
    append_content(out, "multipart/form-data", "PushedFile");
  } else if (route.endpoint == kPredict) {
    append_content(out, "multipart/form-data", operation.request);
    out += ',';
    const bool rows = route.dialect == protocol::Dialect::kUltralytics;
    append_content(out, kJson, rows ? "NamedPictureOrRows" : "NamedPicture");
    if (rows) {
      out += ',';
      append_content(out, "text/csv", "Text");
      out += ',';
      append_content(out, "text/plain", "Text");
    }
  } else {
    append_content(out, kJson, operation.request);
  }
  out += "}},";
}

std::string_view answer_of(const Route& route, const Operation& operation) {
  if (route.dialect == protocol::Dialect::kHubFirst) return "FirstPrediction";
  const bool rows = route.endpoint == kPredict && route.dialect == protocol::Dialect::kUltralytics;
  return rows ? "PredictionOrRows" : operation.answer;
}

void append_operation(std::string& out, const Route& route) {
  const Operation& operation = operation_of(route.endpoint);
  fmt::format_to(std::back_inserter(out), R"("{}":{{"tags":["{}"],"summary":{},)",
                 route.method == Method::kGet ? "get" : "post", route.label,
                 text::json_quoted(operation.summary));
  append_parameters(out, route.pattern, route.endpoint == kApplicationDays ? kDaysQuery : "");
  append_request(out, route, operation);
  fmt::format_to(std::back_inserter(out), R"("responses":{{"{}":{{"description":"The answer.","content":{{)",
                 route.endpoint == kApplicationPush ? 202 : 200);
  append_content(out, operation.content, answer_of(route, operation));
  if (!operation.also.empty() && route.dialect != protocol::Dialect::kHubFirst) {
    fmt::format_to(std::back_inserter(out), R"(,"{}":{{"schema":{{"type":"string","format":"binary"}}}})",
                   operation.also);
  }
  out +=
      R"(}},"4XX":{"$ref":"#/components/responses/Refused"},"5XX":{"$ref":"#/components/responses/Refused"}}})";
}

}  // namespace

std::string openapi_document(std::string_view version) {
  std::string out = fmt::format(
      R"({{"openapi":"3.0.3","info":{{"title":"Bascule","version":{},"description":"The routes of this server: the )"
      R"(Open Inference Protocol v2 with its extensions, the predict calls of Ultralytics, metrics.",)"
      R"("license":{{"name":"Apache-2.0"}}}},"security":[{{}},{{"bearer":[]}},{{"header":[]}}],"paths":{{)",
      text::json_quoted(version));
  std::vector<std::string_view> written;
  for (const Route& route : routes()) {
    if (std::ranges::find(written, route.pattern) != written.end()) continue;
    fmt::format_to(std::back_inserter(out), R"({}"{}":{{)", written.empty() ? "" : ",", route.pattern);
    written.push_back(route.pattern);
    bool first = true;
    for (const Route& same : routes()) {
      if (same.pattern != route.pattern) continue;
      if (!first) out += ',';
      first = false;
      append_operation(out, same);
    }
    out += '}';
  }
  out += R"(},"components":)";
  out += openapi_components();
  out += '}';
  return out;
}

}  // namespace bascule::http

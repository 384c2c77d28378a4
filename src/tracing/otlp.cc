#include "tracing/otlp.h"

#include <array>
#include <cstdint>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "tracing/mix.h"

namespace bascule::tracing {
namespace {

constexpr int kInternal = 1;  // SpanKind of OTLP
constexpr int kServer = 2;
constexpr unsigned kSampled = 0x1;  // flags of OTLP: of W3C, whether the next is known, and what it says
constexpr unsigned kRemoteKnown = 0x100;
constexpr unsigned kRemote = 0x200;
constexpr std::size_t kMaxText = 1024;   // of what a caller chose
constexpr std::size_t kBytesEach = 512;  // of a span, about

// By their numbers.
constexpr std::array<std::string_view, 17> kGrpcStatus = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

std::string status_text(const TracedRequest& request) {
  const auto status = static_cast<std::size_t>(request.status);
  if (request.front == Front::kGrpc && status < kGrpcStatus.size()) return std::string(kGrpcStatus[status]);
  return std::to_string(request.status);
}

// What is the server's fault, by the conventions for servers.
bool is_error(const TracedRequest& request) {
  if (request.front == Front::kHttp) return request.status >= 500;
  switch (request.status) {
    case 2:
    case 4:
    case 12:
    case 13:
    case 14:
    case 15: return true;
    default: return false;
  }
}

// One span's own part, the attributes left out.
struct Span {
  std::string_view name;
  int kind = kInternal;
  SpanId id{};
  std::optional<SpanId> parent;
  bool remote_parent = false;
  TimePoint began;
  TimePoint ended;
};

// Thread-safety: external (one owner).
class Writer {
 public:
  Writer(std::string& out, Duration offset) : out_(out), offset_(offset) {}

  void request(const TracedRequest& request) {
    request_ = &request;
    made_ = 0;
    begin({.name = name_of(request),
           .kind = kServer,
           .id = request.context.span,
           .parent = request.context.parent,
           .remote_parent = request.context.parent.has_value(),
           .began = request.started,
           .ended = request.ended});
    if (request.front == Front::kHttp) {
      http_attributes(request);
    } else {
      text("rpc.system.name", "grpc");
      text("rpc.method", request.method);
      text("rpc.response.status_code", status_text(request));
    }
    if (is_error(request)) text("error.type", status_text(request));
    if (!request.id.empty()) text("bascule.request.id", text::shortened(request.id, kMaxText));
    if (request.answered_by != nullptr) {
      model_attributes(*request.answered_by);
    } else if (!request.model.empty()) {
      text("bascule.model.name", text::shortened(request.model, kMaxText));
    }
    end(is_error(request));
    parts(request.stages, request.steps, request.answered_by.get(), request.context.span);
  }

 private:
  static std::string name_of(const TracedRequest& request) {
    return request.front == Front::kHttp ? fmt::format("{} {}", request.method, request.route)
                                         : std::string(request.method);
  }

  void http_attributes(const TracedRequest& request) {
    text("http.request.method", request.method);
    text("http.route", request.route);
    text("url.path", text::shortened(request.path, kMaxText));
    text("url.scheme", request.encrypted ? "https" : "http");
    number("http.response.status_code", static_cast<std::uint64_t>(request.status));
  }

  void model_attributes(const content::ModelInfo& model) {
    text("bascule.model.name", model.name);
    text("bascule.model.version", model.version);
    text("bascule.backend", model.backend);
  }

  // The stages of an answer below its span; of an ensemble its steps, whose sums its stages are.
  void parts(const content::Stages& stages, const std::vector<content::StepTimes>& steps,
             const content::ModelInfo* model, const SpanId& parent) {
    for (const content::StepTimes& step : steps) {
      const SpanId id = next_id();
      const std::string name = fmt::format("step {}", step.model->name);
      begin({.name = name, .id = id, .parent = parent, .began = step.asked, .ended = step.answered});
      model_attributes(*step.model);
      end(false);
      parts(step.stages, step.steps, step.model.get(), id);
    }
    if (!steps.empty() || model == nullptr) return;
    stage("queue", stages.begun.queue, stages.queue, parent);
    stage("prepare", stages.begun.prepare, stages.prepare, parent);
    if (begin_stage("run", stages.begun.run, stages.run, parent)) {
      text("bascule.backend", model->backend);
      if (stages.shared_rows > 0) number("bascule.batch.rows", stages.shared_rows);
      end(false);
    }
    stage("finish", stages.begun.finish, stages.finish, parent);
  }

  void stage(std::string_view name, TimePoint began, Duration took, const SpanId& parent) {
    if (begin_stage(name, began, took, parent)) end(false);
  }

  bool begin_stage(std::string_view name, TimePoint began, Duration took, const SpanId& parent) {
    if (began == TimePoint{}) return false;
    begin({.name = name, .id = next_id(), .parent = parent, .began = began, .ended = began + took});
    return true;
  }

  // Out of the request's own.
  SpanId next_id() {
    std::uint64_t seed = 0;
    for (const std::uint8_t byte : request_->context.span) seed = seed << 8U | byte;
    std::uint64_t word = mix(seed, ++made_);
    if (word == 0) word = 1;
    SpanId id;
    for (auto byte = id.rbegin(); byte != id.rend(); ++byte, word >>= 8U)
      *byte = static_cast<std::uint8_t>(word & 0xffU);
    return id;
  }

  void begin(const Span& span) {
    if (out_.back() == '}') out_ += ',';
    out_ += R"({"traceId":")";
    hex(request_->context.trace);
    out_ += R"(","spanId":")";
    hex(span.id);
    if (span.parent) {
      out_ += R"(","parentSpanId":")";
      hex(*span.parent);
    }
    out_ += '"';
    if (!request_->context.state.empty()) {
      out_ += R"(,"traceState":)";
      text::append_json_quoted(out_, request_->context.state);
    }
    const unsigned flags = kSampled | kRemoteKnown | (span.remote_parent ? kRemote : 0);
    fmt::format_to(std::back_inserter(out_), R"(,"flags":{},"name":)", flags);
    text::append_json_quoted(out_, span.name);
    fmt::format_to(std::back_inserter(out_),
                   R"(,"kind":{},"startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":[)", span.kind,
                   unix_nanoseconds(span.began), unix_nanoseconds(span.ended));
  }

  void end(bool failed) { out_ += failed ? R"(],"status":{"code":2}})" : "]}"; }

  std::int64_t unix_nanoseconds(TimePoint time) const { return (time.time_since_epoch() + offset_).count(); }

  void text(std::string_view key, std::string_view value) {
    begin_attribute(key);
    out_ += R"("stringValue":)";
    text::append_json_quoted(out_, value);
    out_ += "}}";
  }

  void number(std::string_view key, std::uint64_t value) {
    begin_attribute(key);
    fmt::format_to(std::back_inserter(out_), R"("intValue":"{}"}}}})", value);
  }

  void begin_attribute(std::string_view key) {
    if (out_.back() == '}') out_ += ',';
    out_.append(R"({"key":")").append(key).append(R"(","value":{)");
  }

  template <class Id>
  void hex(const Id& id) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const std::uint8_t byte : id) {
      out_ += kDigits[byte >> 4U];
      out_ += kDigits[byte & 0xfU];
    }
  }

  std::string& out_;
  const Duration offset_;
  const TracedRequest* request_ = nullptr;
  std::uint64_t made_ = 0;  // ids of spans below the request's
};

std::size_t count_parts(const content::Stages& stages, const std::vector<content::StepTimes>& steps) {
  std::size_t count = 0;
  for (const content::StepTimes& step : steps) count += 1 + count_parts(step.stages, step.steps);
  if (!steps.empty()) return count;
  for (const TimePoint began :
       {stages.begun.queue, stages.begun.prepare, stages.begun.run, stages.begun.finish}) {
    if (began != TimePoint{}) ++count;
  }
  return count;
}

}  // namespace

std::size_t span_count(const TracedRequest& request) {
  return 1 + (request.answered_by != nullptr ? count_parts(request.stages, request.steps) : 0);
}

std::string write_spans(std::span<const TracedRequest> requests, const Resource& resource, Duration offset) {
  std::string out;
  std::size_t spans = 0;
  for (const TracedRequest& request : requests) spans += span_count(request);
  out.reserve(kBytesEach * (spans + 1));
  const auto attribute = [&out](std::string_view key, std::string_view value) {
    out.append(R"({"key":")").append(key).append(R"(","value":{"stringValue":)");
    text::append_json_quoted(out, value);
    out += "}}";
  };
  out += R"({"resourceSpans":[{"resource":{"attributes":[)";
  attribute("service.name", resource.service);
  out += ',';
  attribute("service.version", resource.version);
  out += ',';
  attribute("host.name", resource.host);
  out += R"(]},"scopeSpans":[{"scope":{"name":"bascule","version":)";
  text::append_json_quoted(out, resource.version);
  out += R"(},"spans":[)";
  Writer writer(out, offset);
  for (const TracedRequest& request : requests) writer.request(request);
  out += "]}]}]}";
  return out;
}

}  // namespace bascule::tracing

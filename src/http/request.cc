#include "http/request.h"

#include <fmt/format.h>

#include "base/text.h"
#include "http/reply.h"
#include "http/wire_limits.h"
#include "protocol/credentials.h"
#include "tracing/trace_context.h"

namespace bascule::http {

Method method_of(std::string_view name) {
  if (name == "GET") return Method::kGet;
  if (name == "HEAD") return Method::kHead;
  return name == "POST" ? Method::kPost : Method::kOther;
}

std::optional<Refusal> FieldReader::take_host(std::string_view value) {
  if (host_) {
    return refusal(400, Code::kInvalidArgument,
                   "The request has two Host header fields; exactly one is allowed.");
  }
  head_.host = value;
  host_ = true;
  return std::nullopt;
}

std::optional<Refusal> FieldReader::take_expect(std::string_view value) {
  if (!text::equals_ignoring_case(value, "100-continue")) {
    return refusal(
        417, Code::kUnsupported,
        fmt::format("Expect: '{}' cannot be met; only 100-continue can.", text::shortened(value, 40)));
  }
  body_.expects_continue = http11_;
  return std::nullopt;
}

// Fields that HTTP itself does not know.
bool accepts(std::string_view accept, std::string_view type) {
  while (!accept.empty()) {
    const std::size_t end = std::min(accept.find(','), accept.size());
    const std::string_view item = accept.substr(0, end);
    const std::string_view named = text::trimmed(item.substr(0, std::min(item.find(';'), item.size())));
    if (text::equals_ignoring_case(named, type)) return true;
    accept.remove_prefix(std::min(end + 1, accept.size()));
  }
  return false;
}

void FieldReader::take_own(std::string_view name, std::string_view value) {
  const auto is = [name](std::string_view other) { return text::equals_ignoring_case(name, other); };
  if (is("inference-header-content-length")) {
    head_.json_length = value;
  } else if (is("authorization")) {
    head_.authorization = value;
  } else if (is(protocol::kApiKeyField)) {
    head_.api_key = value;
  } else if (is("access-control-request-method")) {
    head_.asked_method = value;
  } else if (is("request-timeout-ms")) {
    head_.timeout_ms = value;
  } else if (is("idempotency-key")) {
    head_.idempotency_key = value;
  } else if (is("last-event-id")) {
    head_.last_event = value;
  } else if (is("traceparent")) {
    head_.traceparent = tracing::is_traceparent(value) ? value : std::string_view{};
  } else if (is("tracestate")) {
    if (head_.tracestate.empty()) head_.tracestate = value;  // of several the front is kept
  } else if (is("bascule-debug")) {
    head_.wants_timing = text::equals_ignoring_case(value, "timing");
  }
}

std::optional<Refusal> FieldReader::take(std::string_view name, std::string_view value) {
  if (name.size() + value.size() > kMaxLine) {
    return refusal(431, Code::kPayloadTooLarge,
                   fmt::format("The header field '{}' has {} bytes; the limit is {}.",
                               text::shortened(name, 40), value.size(), kMaxLine));
  }
  const auto is = [name](std::string_view other) { return text::equals_ignoring_case(name, other); };
  if (is("host")) return take_host(value);
  if (is("expect")) return take_expect(value);
  if (is("transfer-encoding") && !text::equals_ignoring_case(value, "chunked")) {
    return refusal(501, Code::kUnsupported,
                   fmt::format("Transfer-Encoding '{}' is not read; use chunked or Content-Length.",
                               text::shortened(value, 40)));
  }
  if (is("content-type")) {
    head_.content_type = value;
  } else if (is("origin")) {
    head_.origin = value;
  } else if (is("accept")) {
    head_.accept = value;
  } else if (is("accept-encoding")) {
    head_.accept_encoding = value;
  } else if (is("content-encoding")) {
    if (!head_.content_encoding.empty()) {
      return refusal(
          415, Code::kUnsupported,
          "The request has two Content-Encoding header fields; one encoding is read, gzip or deflate.");
    }
    head_.content_encoding = value;
  } else {
    take_own(name, value);
  }
  return std::nullopt;
}

std::optional<Refusal> FieldReader::finish() const {
  if (host_ || !http11_) return std::nullopt;
  return refusal(400, Code::kInvalidArgument, "An HTTP/1.1 request must have a Host header field.");
}

Refusal not_read(bool timed_out, Duration limit, std::string_view before) {
  if (timed_out) {
    return refusal(408, Code::kDeadlineExceeded,
                   fmt::format("Nothing came for {} s before {}, the limit.", to_seconds(limit), before));
  }
  return refusal(400, Code::kInvalidArgument, fmt::format("The request ended before {}.", before));
}

}  // namespace bascule::http

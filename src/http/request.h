#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace bascule::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kOther };

// What the routes look at of a request's first line and header fields. All views lie in the connection's
// memory until the request is answered; empty where absent.
// Thread-safety: immutable.
struct RequestHead {
  Method method = Method::kOther;
  std::string_view method_name;
  std::string_view path;   // still percent-encoded, without the query
  std::string_view query;  // without '?'
  std::string_view host;
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view origin;                        // set by browsers: the page that the request comes from
  std::string_view json_length;                   // Inference-Header-Content-Length as sent
  std::string_view traceparent;                   // W3C Trace Context; empty where it is not a valid one
  bool wants_timing = false;                      // Bascule-Debug: timing
  std::string_view timeout_ms;                    // Request-Timeout-Ms as sent
  std::uint64_t connection = 0;                   // the same for all requests of a connection
  std::shared_ptr<const std::atomic<bool>> gone;  // set once the client is; may be null
};

// How a request's head announced its body.
// Thread-safety: a value.
struct BodyForm {
  bool chunked = false;
  std::optional<std::uint64_t> length;
  bool expects_continue = false;
  [[nodiscard]] bool any() const { return chunked || length.value_or(0) > 0; }
};

// Takes a header field that HTTP itself does not know, where it is one of those above. `value` outlives
// `head`.
void take_field(RequestHead& head, std::string_view name, std::string_view value);

// Splits a request target (RFC 9112, section 3.2) into path and query; a scheme and authority in front are
// dropped.
void set_target(RequestHead& head, std::string_view target);

}  // namespace bascule::http

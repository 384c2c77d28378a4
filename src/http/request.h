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
  std::string_view accept;
  std::string_view accept_encoding;
  std::string_view origin;                        // set by browsers: the page that the request comes from
  std::string_view asked_method;                  // Access-Control-Request-Method: a browser's question
  std::string_view authorization;                 // secret: for the gate alone
  std::string_view api_key;                       // likewise
  std::string_view json_length;                   // Inference-Header-Content-Length as sent
  std::string_view traceparent;                   // W3C Trace Context; empty where it is not a valid one
  std::string_view tracestate;                    // that goes with it, as sent
  bool wants_timing = false;                      // Bascule-Debug: timing
  std::string_view timeout_ms;                    // Request-Timeout-Ms as sent
  std::string_view idempotency_key;               // Idempotency-Key: the same request is done once
  std::string_view last_event;                    // Last-Event-ID: where an event stream goes on
  std::uint64_t connection = 0;                   // the same for all requests of a connection
  std::shared_ptr<const std::atomic<bool>> gone;  // set once the client is; may be null
};

// Whether an Accept header names this content type.
[[nodiscard]] bool accepts(std::string_view accept, std::string_view type);

// Case matters (RFC 9110, 9.1).
[[nodiscard]] Method method_of(std::string_view name);

// How a request's head announced its body.
// Thread-safety: a value.
struct BodyForm {
  bool chunked = false;
  std::optional<std::uint64_t> length;
  bool expects_continue = false;
  [[nodiscard]] bool any() const { return chunked || length.value_or(0) > 0; }
};

struct Refusal;

// Takes what is needed out of a request's header fields, and refuses what HTTP itself forbids (RFC 9110 and
// 9112). The views that are taken outlive `head`.
// Thread-safety: external (one owner).
class FieldReader {
 public:
  FieldReader(RequestHead& head, BodyForm& body, bool http11) : head_(head), body_(body), http11_(http11) {}

  // One field. A refusal: the rest is not looked at.
  std::optional<Refusal> take(std::string_view name, std::string_view value);
  // After the last.
  [[nodiscard]] std::optional<Refusal> finish() const;

 private:
  std::optional<Refusal> take_host(std::string_view value);
  std::optional<Refusal> take_expect(std::string_view value);
  void take_own(std::string_view name, std::string_view value);

  RequestHead& head_;
  BodyForm& body_;
  const bool http11_;
  bool host_ = false;
};

// Splits a request target (RFC 9112, section 3.2) into path and query; a scheme and authority in front are
// dropped.
void set_target(RequestHead& head, std::string_view target);

}  // namespace bascule::http

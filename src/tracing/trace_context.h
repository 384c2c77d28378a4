#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bascule::tracing {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

// What a caller says of the trace that its request belongs to.
// Thread-safety: a value.
struct Parent {
  TraceId trace{};
  SpanId span{};
  bool sampled = false;  // the caller records its part
};

// Reads a `traceparent` (W3C Trace Context, section 3.2): version, trace, parent and flags in small
// hexadecimal digits; trace and parent not all zeros. What a later version adds behind the flags is allowed.
// Nothing where it is not one.
[[nodiscard]] std::optional<Parent> parse_traceparent(std::string_view value);
[[nodiscard]] bool is_traceparent(std::string_view value);

// The part of a `tracestate` that is passed on: all of it, or nothing where it is longer than 512 characters
// or has others than printable ones (section 3.3).
[[nodiscard]] std::string_view kept_tracestate(std::string_view value);

// Where one request stands in its trace.
// Thread-safety: a value.
struct TraceContext {
  TraceId trace{};
  SpanId span{};                 // of the request here
  std::optional<SpanId> parent;  // of the caller; nothing: the trace begins here
  std::string state;             // the caller's tracestate
};

}  // namespace bascule::tracing

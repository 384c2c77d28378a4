#include "http/request.h"

#include "base/text.h"
#include "http/trace_context.h"

namespace bascule::http {

void take_field(RequestHead& head, std::string_view name, std::string_view value) {
  const std::string small = text::to_lower(name);
  if (small == "inference-header-content-length") {
    head.json_length = value;
  } else if (small == "request-timeout-ms") {
    head.timeout_ms = value;
  } else if (small == "traceparent") {
    head.traceparent = is_traceparent(value) ? value : std::string_view{};
  } else if (small == "bascule-debug") {
    head.wants_timing = text::to_lower(value) == "timing";
  }
}

}  // namespace bascule::http

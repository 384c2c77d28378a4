#pragma once

#include <string_view>

namespace bascule::http {

// Whether this is a `traceparent` (W3C Trace Context, section 3.2): version, trace, parent and flags in small
// hexadecimal digits; trace and parent not all zeros. What a later version adds behind the flags is allowed.
[[nodiscard]] bool is_traceparent(std::string_view value);

}  // namespace bascule::http

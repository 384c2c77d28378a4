#pragma once

#include <string_view>

namespace bascule::access {

// Of the value of an Origin header field: whether it names a page of this machine: 127.0.0.1, [::1] or
// localhost, whatever the scheme and the port.
[[nodiscard]] bool is_local_origin(std::string_view origin);

// Whether the page at `origin` came from the very server that it asks, going by the request's Host field.
// Only an address counts: a name can be made to lead here by whoever owns it (DNS rebinding), and would then
// be the page's own.
[[nodiscard]] bool is_own_origin(std::string_view origin, std::string_view host);

}  // namespace bascule::access

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace bascule::protocol {

// `value` with %XX resolved (RFC 3986), and '+' as a blank where `plus` says so (forms and query strings). A
// '%' without two hexadecimal digits stays as it is.
[[nodiscard]] std::string percent_decoded(std::string_view value, bool plus);

// The name=value pairs of a query string or an application/x-www-form-urlencoded body, in their order.
// Errors: kInvalidArgument for more than 64 pairs.
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

}  // namespace bascule::protocol

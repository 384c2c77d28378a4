#include "access/origin.h"

#include <algorithm>

#include "base/text.h"

namespace bascule::access {
namespace {

constexpr std::string_view kDigits = "0123456789";

// "host:port" behind the scheme; empty where there is none.
std::string_view authority_of(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? std::string_view{} : origin.substr(scheme + 3);
}

std::string_view without_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || !text::parse_int(authority.substr(colon + 1))) return authority;
  return authority.substr(0, colon);
}

// Four numbers with dots, or anything in brackets. No name looks like that: the last label of one is not a
// number.
bool is_address(std::string_view host) {
  if (host.starts_with('[')) return host.ends_with(']');
  return std::ranges::count(host, '.') == 3 &&
         host.find_first_not_of(".0123456789") == std::string_view::npos &&
         kDigits.find(host.back()) != std::string_view::npos;
}

}  // namespace

bool is_local_origin(std::string_view origin) {
  const std::string_view host = without_port(authority_of(origin));
  return host == "127.0.0.1" || host == "[::1]" || text::equals_ignoring_case(host, "localhost");
}

bool is_own_origin(std::string_view origin, std::string_view host) {
  const std::string_view authority = authority_of(origin);
  return !authority.empty() && authority == host && is_address(without_port(authority));
}

}  // namespace bascule::access

#include "access/gate.h"

#include <fmt/format.h>

#include "access/origin.h"
#include "base/text.h"

namespace bascule::access {
namespace {

// Web pages that a browser has open elsewhere may read what the browser lets them, and nothing more.
Result<void> check_origin(const Caller& caller) {
  if (!caller.unsafe || caller.origin.empty() || is_local_origin(caller.origin) ||
      is_own_origin(caller.origin, caller.host)) {
    return {};
  }
  return Error{
      .code = Code::kUnauthenticated,
      .message = fmt::format("Requests that may change something are not taken from a web page of '{}'.",
                             text::shortened(caller.origin)),
      .reason = Reason::kForbidden};
}

// What only whoever runs the server may ask for.
bool is_administration(RouteClass wanted) {
  return wanted == RouteClass::kControl || wanted == RouteClass::kTrace || wanted == RouteClass::kLogs;
}

}  // namespace

Result<void> Gate::admit(RouteClass wanted, const Caller& caller) const {
  BASCULE_TRY(check_origin(caller));
  // As long as callers cannot be told apart, whoever can start programs on this machine may change what it
  // serves, and nobody else.
  if (caller.loopback || !is_administration(wanted)) return {};
  return Error{.code = Code::kUnauthenticated,
               .message = fmt::format(
                   "What is loaded, logged and traced is changed only where the server listens on a loopback "
                   "address; this one listens on {}. Start it with --host 127.0.0.1.",
                   caller.listens)};
}

}  // namespace bascule::access

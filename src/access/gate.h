#pragma once

#include <string_view>

#include "access/route_class.h"
#include "base/result.h"

namespace bascule::access {

// Who asks, as far as it is known before anything else of the request is looked at.
// Thread-safety: immutable.
struct Caller {
  bool loopback = true;      // the listener can be reached from this machine alone
  std::string_view listens;  // on which address, for messages
  bool unsafe = false;       // the method may change something, whatever the route (RFC 9110, 9.2.1)
  std::string_view origin;   // of the page that a browser asks for; empty where none is said
  std::string_view host;     // that the request named
};

// Decides, for every front end alike and before anything is routed, whether a caller may ask for a route of
// some class.
// Thread-safety: thread-safe.
class Gate {
 public:
  // Errors: kForbidden for an unsafe call at the request of a foreign web page; kUnauthenticated where a
  // caller who is not known may not ask.
  [[nodiscard]] Result<void> admit(RouteClass wanted, const Caller& caller) const;
};

}  // namespace bascule::access

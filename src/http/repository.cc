// The part of Handlers that changes what is served.
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "http/handlers.h"
#include "protocol/v2/v2.h"

namespace bascule::http {
namespace {

namespace v2 = protocol::v2;

// Whether a page of this machine made the request, going by the Origin that its browser sends.
bool is_local(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  std::string_view host = origin.substr(scheme + 3);
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && text::parse_int(host.substr(colon + 1)))
    host = host.substr(0, colon);
  return host == "127.0.0.1" || host == "localhost" || host == "[::1]";
}

}  // namespace

// Until callers can be told apart, whoever can start programs on this machine may change what it serves, and
// nobody else: neither other machines nor web pages that a browser here has open.
std::optional<Refusal> Handlers::refuse_control(const Route& route, const RequestHead& head) const {
  if (route.endpoint != Endpoint::kModelLoad && route.endpoint != Endpoint::kModelUnload) return std::nullopt;
  std::string why;
  if (!loopback_) {
    why = fmt::format(
        "Models are loaded and unloaded on request only where the server listens on a loopback address; this "
        "one listens on {}. Start it with --host 127.0.0.1, or let it load by itself.",
        options_.host);
  } else if (!head.origin.empty() && !is_local(head.origin)) {
    why = fmt::format("Models are not loaded or unloaded at the request of a web page of '{}'.",
                      text::shortened(head.origin));
  } else {
    return std::nullopt;
  }
  return Refusal{
      .status = 403,
      .error = {.code = Code::kUnauthenticated, .message = std::move(why), .reason = Reason::kAdminRefused},
      .dialect = route.dialect,
      .label = route.label};
}

void Handlers::control(const Admission& admission, const protocol::RequestBody& body, TimePoint started,
                       Done done) {
  const Match& match = admission.match;
  if (auto checked = v2::check_control_request(body); !checked) {
    return done(fail(match, checked.error(), started));
  }
  auto answer = [self = shared_from_this(), match, started,
                 done = std::move(done)](const Result<void>& result) mutable {
    done(result ? Reply{.body = {.head = "{}"}} : self->fail(match, result.error(), started));
  };
  if (match.route->endpoint == Endpoint::kModelLoad) {
    services_.control.load(match.model, std::move(answer));
  } else {
    services_.control.unload(match.model, std::move(answer));
  }
}

Reply Handlers::repository_index(const Match& match, const protocol::RequestBody& body, TimePoint started) {
  const Result<bool> ready_only = v2::parse_index_request(body);
  if (!ready_only) return fail(match, ready_only.error(), started);
  return {.body = {.head = v2::write_index(services_.control.models(), *ready_only)}};
}

}  // namespace bascule::http

// The part of Handlers that changes what is served.
#include <utility>

#include "http/handlers.h"
#include "protocol/v2/v2.h"

namespace bascule::http {
namespace {

namespace v2 = protocol::v2;

}  // namespace

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

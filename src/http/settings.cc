// The part of Handlers that tells and changes settings of the server.
#include "protocol/v2/settings.h"
#include "base/log_level.h"
#include "http/handlers.h"

namespace bascule::http {

namespace v2 = protocol::v2;

Reply Handlers::logging(const Admission& admission, const protocol::RequestBody& body, TimePoint started) {
  const Match& match = admission.match;
  if (match.route->method == Method::kPost) {
    const log::Level now = log::level();
    const Result<log::Level> wanted = v2::parse_log_settings(body, now);
    if (!wanted) return fail(match, wanted.error(), started);
    if (*wanted != now) log::set_level(*wanted);
  }
  return {.body = {.head = v2::write_log_settings(log::level())}};
}

Reply Handlers::tracing(const Admission& admission, const protocol::RequestBody& body, TimePoint started) {
  const Match& match = admission.match;
  if (!match.model.empty()) {
    const Result<void> ready = services_.control.model_ready(match.model, {});
    if (!ready && ready.error().reason == Reason::kUnknownModel) return fail(match, ready.error(), started);
  }
  if (match.route->method == Method::kPost) {
    if (auto checked = v2::check_trace_settings(body); !checked) return fail(match, checked.error(), started);
  }
  return {.body = {.head = v2::write_trace_settings()}};
}

}  // namespace bascule::http

// The part of Handlers about the repository: what is in it, how it is configured, and changing that.
#include <utility>

#include "http/handlers.h"
#include "protocol/v2/model_config.h"
#include "protocol/v2/model_load.h"
#include "protocol/v2/v2.h"

namespace bascule::http {
namespace {

namespace v2 = protocol::v2;

}  // namespace

void Handlers::control(const Admission& admission, const protocol::RequestBody& body, TimePoint started,
                       Done done) {
  const Match& match = admission.match;
  if (match.route->endpoint == Endpoint::kModelLoad) return load(match, body, started, std::move(done));
  if (auto checked = v2::check_control_request(body); !checked) {
    return done(fail(match, checked.error(), started));
  }
  services_.control.unload(match.model, when_changed(match, started, std::move(done)));
}

void Handlers::load(const Match& match, const protocol::RequestBody& body, TimePoint started, Done done) {
  Result<v2::LoadCall> call = v2::parse_load_request(body, match.model);
  if (!call) return done(fail(match, call.error(), started));
  services_.control.load(match.model, std::move(call->with), when_changed(match, started, std::move(done)));
}

serving::ControlService::Done Handlers::when_changed(const Match& match, TimePoint started, Done done) {
  return [self = shared_from_this(), match, started,
          done = std::move(done)](const Result<void>& result) mutable {
    done(result ? Reply{.body = {.head = "{}"}} : self->fail(match, result.error(), started));
  };
}

Reply Handlers::model_config(const Match& match, TimePoint started) {
  const Result<content::ServedModel> model = services_.control.served(match.model, match.version);
  if (!model) return fail(match, model.error(), started);
  return {.body = {.head = v2::write_model_config(*model)}};
}

Reply Handlers::repository_index(const Match& match, const protocol::RequestBody& body, TimePoint started) {
  const Result<bool> ready_only = v2::parse_index_request(body);
  if (!ready_only) return fail(match, ready_only.error(), started);
  return {.body = {.head = v2::write_index(services_.control.models(), *ready_only)}};
}

}  // namespace bascule::http

// The part of Handlers that answers the predict calls.
#include <utility>

#include "http/handlers.h"
#include "protocol/rows/rows.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::http {

namespace ultralytics = protocol::ultralytics;

namespace {

Error no_urls() {
  return invalid_argument("URLs are not fetched by this server; send the picture itself as 'file'.");
}

}  // namespace

void Handlers::predict(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
                       TimePoint started, Done done) {
  const Match& match = admission.match;
  const std::string_view bytes(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  if (match.route->dialect == protocol::Dialect::kUltralytics &&
      protocol::rows::brings_rows(head.content_type, bytes)) {
    return predict_rows(admission, head, body, started, std::move(done));
  }
  Result<ultralytics::PredictCall> call =
      ultralytics::parse_predict(body, head.content_type, head.query, match.route->dialect);
  if (!call) return done(fail(match, call.error(), started));
  address(call->request, admission, head, started);
  if (call->url.empty()) return predict_picture(match, *std::move(call), started, std::move(done));
  if (!options_.sources.fetch) return done(fail(match, no_urls(), started));
  // For a model that is not there nothing is fetched.
  when_loaded(
      admission, started,
      [self = shared_from_this(), match, call = *std::move(call), started](Done next) mutable {
        self->predict_url(match, std::move(call), started, std::move(next));
      },
      std::move(done));
}

void Handlers::predict_url(const Match& match, ultralytics::PredictCall call, TimePoint started, Done done) {
  if (!call.request.model.empty()) {
    const auto model = services_.control.model(call.request.model, call.request.version);
    if (!model) return done(fail(match, model.error(), started));
  }
  UrlCall url{.url = call.url, .deadline = call.request.deadline, .cancelled = call.request.cancelled};
  options_.sources.fetch(std::move(url),
                         [self = shared_from_this(), match, call = std::move(call), started,
                          done = std::move(done)](Result<std::vector<std::byte>> body) mutable {
                           if (!body) return done(self->fail(match, body.error(), started));
                           if (const auto taken = ultralytics::take_fetched(*std::move(body), call); !taken) {
                             return done(self->fail(match, taken.error(), started));
                           }
                           self->predict_picture(match, std::move(call), started, std::move(done));
                         });
}

void Handlers::predict_picture(const Match& match, ultralytics::PredictCall call, TimePoint started,
                               Done done) {
  services_.inference.infer(
      std::move(call.request),
      [self = shared_from_this(), match, style = call.style, started, done = std::move(done)](
          Result<content::InferResponse> answer, bool last) mutable {
        if (!last) return;
        if (!answer) return done(self->fail(match, answer.error(), started));
        const ultralytics::CallTimes times{.call = self->services_.clock.now() - started,
                                           .alive = self->services_.control.alive()};
        done(self->finish(match, ultralytics::write_predict(*answer, style, times), *answer, started));
      });
}

}  // namespace bascule::http

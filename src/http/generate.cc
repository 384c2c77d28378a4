// The part of Handlers that answers generate and generate_stream.
#include "protocol/v2/generate.h"

#include <algorithm>
#include <utility>

#include "http/handlers.h"

namespace bascule::http {

namespace v2 = protocol::v2;

// A model has one answer to a request, so a stream is one event: it is sent as a whole, with its length.
void Handlers::generate(const Admission& admission, const RequestHead& head,
                        const protocol::RequestBody& body, TimePoint started, Done done) {
  const Match& match = admission.match;
  const auto parse = [&]() -> Result<v2::GenerateCall> {
    BASCULE_ASSIGN(const auto model, services_.control.model(match.model, match.version));
    return v2::parse_generate(body, *model);
  };
  Result<v2::GenerateCall> call = parse();
  if (!call) return done(fail(match, call.error(), started));
  address(call->request, admission, head, started);
  services_.inference.infer(
      std::move(call->request),
      [self = shared_from_this(), match, text = call->text, started, done = std::move(done)](
          Result<content::InferResponse> answer, bool last) mutable {
        if (!last) return;
        if (!answer) return done(self->fail(match, answer.error(), started));
        const auto write = [&]() -> Result<protocol::ReplyBody> {
          BASCULE_ASSIGN(std::string json, v2::write_generate(*answer, text));
          const bool stream = match.route->endpoint == Endpoint::kGenerateStream;
          return protocol::ReplyBody{.head = stream ? v2::event_of(json) : std::move(json)};
        };
        Reply reply = self->finish(match, write(), *answer, started);
        if (reply.status == 200 && match.route->endpoint == Endpoint::kGenerateStream) {
          reply.content_type = kEvents;
        }
        done(std::move(reply));
      });
}

}  // namespace bascule::http

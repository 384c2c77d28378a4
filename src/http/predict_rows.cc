// The part of Handlers that answers tables and sentences.
#include <utility>

#include "http/handlers.h"
#include "protocol/rows/rows.h"

namespace bascule::http {

namespace rows = protocol::rows;

void Handlers::predict_rows(const Admission& admission, const RequestHead& head,
                            const protocol::RequestBody& body, TimePoint started, Done done) {
  const Match& match = admission.match;
  Result<rows::RowsCall> call = rows::parse_rows(body, head.content_type, head.accept);
  if (!call) return done(fail(match, call.error(), started));
  address(call->request, admission, head, started);
  services_.inference.infer(
      std::move(call->request),
      [self = shared_from_this(), match, style = call->style, started, address = address_of(head),
       done = std::move(done)](Result<content::InferResponse> answer, bool last) mutable {
        if (!last) return;
        if (!answer) {
          return done(
              self->fail(match, self->with_example(std::move(answer).error(), match, address), started));
        }
        Reply reply = self->finish(match, rows::write_rows(*answer, style), *answer, started);
        if (reply.status == 200 && style == rows::Style::kCsv) reply.content_type = kCsv;
        done(std::move(reply));
      });
}

}  // namespace bascule::http

// The part of Handlers that answers tables and sentences.
#include <string>
#include <utility>

#include <fmt/format.h>

#include "http/handlers.h"
#include "protocol/rows/rows.h"

namespace bascule::http {

namespace rows = protocol::rows;

Error Handlers::too_many_rows(std::size_t bytes) const {
  return {
      .code = Code::kPayloadTooLarge,
      .message = fmt::format("The rows have {} bytes; the limit for text is {}. Send fewer at a time, raise "
                             "--max-json-bytes, or use `bascule predict`, which reads CSV block by block.",
                             bytes, options_.max_json_bytes),
      .reason = Reason::kBodyTooLarge,
      .fields = {.got = std::to_string(bytes), .limit = std::to_string(options_.max_json_bytes)}};
}

void Handlers::predict_rows(const Admission& admission, const RequestHead& head,
                            const protocol::RequestBody& body, TimePoint started, Done done) {
  const Match& match = admission.match;
  // A table takes several times the memory of its text.
  if (body.bytes.size() > options_.max_json_bytes)
    return done(fail(match, too_many_rows(body.bytes.size()), started));
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

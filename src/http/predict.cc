// The part of Handlers that answers the predict calls.
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "http/handlers.h"
#include "protocol/rows/rows.h"
#include "protocol/ultralytics/ultralytics.h"
#include "serving/frames.h"

namespace bascule::http {

namespace ultralytics = protocol::ultralytics;

namespace {

Error no_urls() {
  return invalid_argument("URLs are not fetched by this server; send the picture itself as 'file'.");
}

Error no_videos() {
  return invalid_argument(fmt::format("Videos are not taken by this server; send single pictures ({}).",
                                      content::kPictureFormats));
}

Error large_answer(std::size_t limit) {
  return {.code = Code::kPayloadTooLarge,
          .message =
              fmt::format("The answer for all frames has more than {} bytes, the limit. Ask for it as it is "
                          "made, with the header 'Accept: {}', or for fewer frames with vid_stride.",
                          limit, kLines),
          .reason = Reason::kBodyTooLarge,
          .fields = {.limit = std::to_string(limit)}};
}

}  // namespace

// Writes the answers for the frames of one video: together at the end, or each as it comes. An error before
// the first is a reply like any other; behind it, the last line.
// Thread-safety: external (one thread).
class Handlers::VideoReply {
 public:
  VideoReply(Handlers& handlers, const Asked& asked, Done done)
      : handlers_(handlers), asked_(asked), done_(std::move(done)), body_(ultralytics::begin_frames()) {}

  bool take(const serving::AnsweredFrame& frame) {
    const ultralytics::Style& style = asked_.call.style;
    handlers_.accounts_.answered(frame.answer, asked_.match.route->label, frame.asked);
    model_ = frame.answer.model;
    if (asked_.as_lines) {
      if (stream_ == nullptr) begin_stream();
      return stream_->push(ultralytics::frame_line(frame.answer, style));
    }
    ultralytics::append_frame(body_, frame.answer, style, std::exchange(first_, false));
    const std::size_t limit = handlers_.options_.max_binary_bytes;
    if (body_.size() > limit) too_large_ = large_answer(limit);
    return !too_large_;
  }

  void end(const Result<std::size_t>& frames) {
    const Match& match = asked_.match;
    std::optional<Error> error = too_large_ ? too_large_
                                 : frames   ? std::nullopt
                                            : std::optional(frames.error());
    const ultralytics::CallTimes times{.call = handlers_.services_.clock.now() - asked_.started,
                                       .alive = handlers_.services_.control.alive()};
    if (stream_ != nullptr) {
      std::string last;
      if (error) {
        // Counted as any other failure is; the status has gone.
        last = handlers_.fail(match, *error, asked_.started).body.head + "\n";
      } else {
        last = ultralytics::metadata_line(*model_, *frames, times);
      }
      stream_->push(last);
      return stream_->finish();
    }
    if (error) {
      return done_(handlers_.fail(match, handlers_.with_example(*std::move(error), match, asked_.address),
                                  asked_.started));
    }
    ultralytics::end_frames(body_, *model_, *frames, times);
    done_({.body = {.head = std::move(body_)}});
  }

 private:
  void begin_stream() {
    stream_ = std::make_shared<ReplyStream>();
    Reply reply{.content_type = kLines};
    reply.stream = StreamEnd(stream_);
    done_(std::move(reply));
  }

  Handlers& handlers_;
  const Asked& asked_;
  Done done_;
  std::string body_;
  bool first_ = true;
  std::shared_ptr<ReplyStream> stream_;
  std::shared_ptr<const content::ModelInfo> model_;
  std::optional<Error> too_large_;
};

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
  Asked asked{.match = match,
              .call = *std::move(call),
              .started = started,
              .address = address_of(head),
              .as_lines = accepts(head.accept, kLines)};
  if (asked.call.url.empty()) return predict_content(std::move(asked), std::move(done));
  if (!options_.sources.fetch) return done(fail(match, no_urls(), started));
  // For a model that is not there nothing is fetched.
  when_loaded(
      admission, started,
      [self = shared_from_this(), asked = std::move(asked)](Done next) mutable {
        self->predict_url(std::move(asked), std::move(next));
      },
      std::move(done));
}

void Handlers::predict_url(Asked asked, Done done) {
  const content::InferRequest& request = asked.call.request;
  if (!request.model.empty()) {
    const auto model = services_.control.model(request.model, request.version);
    if (!model) return done(fail(asked.match, model.error(), asked.started));
  }
  UrlCall url{.url = asked.call.url, .deadline = request.deadline, .cancelled = request.cancelled};
  options_.sources.fetch(
      std::move(url), [self = shared_from_this(), asked = std::move(asked),
                       done = std::move(done)](Result<std::vector<std::byte>> body) mutable {
        if (!body) return done(self->fail(asked.match, body.error(), asked.started));
        if (const auto taken = ultralytics::take_fetched(*std::move(body), asked.call); !taken) {
          return done(self->fail(asked.match, taken.error(), asked.started));
        }
        self->predict_content(std::move(asked), std::move(done));
      });
}

void Handlers::predict_content(Asked asked, Done done) {
  if (asked.call.video) return predict_video(std::move(asked), std::move(done));
  services_.inference.infer(
      std::move(asked.call.request),
      [self = shared_from_this(), match = std::move(asked.match), style = asked.call.style,
       started = asked.started, address = std::move(asked.address),
       done = std::move(done)](Result<content::InferResponse> answer, bool last) mutable {
        if (!last) return;
        if (!answer) {
          return done(
              self->fail(match, self->with_example(std::move(answer).error(), match, address), started));
        }
        const ultralytics::CallTimes times{.call = self->services_.clock.now() - started,
                                           .alive = self->services_.control.alive()};
        done(self->finish(match, ultralytics::write_predict(*answer, style, times), *answer, started));
      });
}

void Handlers::predict_video(Asked asked, Done done) {
  if (!options_.sources.open_video) return done(fail(asked.match, no_videos(), asked.started));
  struct Work {
    Asked asked;
    Done done;
  };
  const auto work = std::make_shared<Work>(std::move(asked), std::move(done));
  const Result<void> posted = options_.sources.videos->post(
      [self = shared_from_this(), work] { self->run_video(work->asked, std::move(work->done)); });
  if (posted) return;
  Error error = posted.error();
  if (error.code == Code::kResourceExhausted) {
    error.message = "As many videos as may wait are waiting to be read. Try again later.";
  }
  work->done(fail(work->asked.match, error, work->asked.started));
}

// On a thread that may wait.
void Handlers::run_video(Asked& asked, Done done) {
  const content::InferRequest& request = asked.call.request;
  Result<serving::NextFrame> next = options_.sources.open_video({.bytes = asked.call.video->bytes,
                                                                 .name = asked.call.video->name,
                                                                 .stride = asked.call.video_stride,
                                                                 .deadline = request.deadline,
                                                                 .cancelled = request.cancelled});
  asked.call.video.reset();  // it has been copied
  if (!next) return done(fail(asked.match, next.error(), asked.started));
  VideoReply reply(*this, asked, std::move(done));
  const Result<std::size_t> frames = serving::infer_frames(
      {.service = services_.inference, .clock = services_.clock, .ahead = options_.sources.frames_ahead},
      request, *std::move(next), [&](const serving::AnsweredFrame& frame) { return reply.take(frame); });
  reply.end(frames);
}

}  // namespace bascule::http

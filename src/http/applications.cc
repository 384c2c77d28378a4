// The part of Handlers that answers for applications.
#include "applications/service.h"

#include <chrono>
#include <iterator>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "applications/event_hub.h"
#include "base/date.h"
#include "base/mutex.h"
#include "base/text.h"
#include "http/handlers.h"
#include "http/pushed_picture.h"

namespace bascule::http {
namespace {

using applications::EventHub;

Reply json_reply(std::string json, unsigned status = 200) {
  return {.status = status, .body = {.head = std::move(json)}};
}

Error no_applications() {
  return not_found(
      "This server has no applications; they stand under `applications:` in the file that --config names.");
}

// Server-sent events of what came since the last call. Source: the HTML standard, section 9.2.
std::string events_of(const EventHub::Taken& taken) {
  std::string out;
  if (taken.lost > 0) out += fmt::format(": {} events were lost\n\n", taken.lost);
  for (const auto& event : taken.events) {
    fmt::format_to(std::back_inserter(out), "id: {}\ndata: {}\n\n", event->id, event->json);
  }
  return out;
}

}  // namespace

void Handlers::application(const Admission& admission, const RequestHead& head,
                           const protocol::RequestBody& body, TimePoint started, Done done) {
  const Match& match = admission.match;
  if (match.route->endpoint == Endpoint::kApplicationFrame && options_.applications != nullptr) {
    return application_frame(match, started, std::move(done));
  }
  Result<Reply> reply = application_reply(match, head, head.content_type, body);
  done(reply ? *std::move(reply) : fail(match, reply.error(), started));
}

Result<Reply> Handlers::application_reply(const Match& match, const RequestHead& head,
                                          std::string_view content_type, const protocol::RequestBody& body) {
  applications::ApplicationService* const service = options_.applications;
  if (match.route->endpoint == Endpoint::kApplicationList) {
    return json_reply(service != nullptr ? service->list() : R"({"applications":[]})");
  }
  if (service == nullptr) return no_applications();
  switch (match.route->endpoint) {
    case Endpoint::kApplicationEvents: {
      if (accepts(head.accept, kEvents) && head.method != Method::kHead) return event_stream(match, head);
      BASCULE_ASSIGN(std::string events, service->events(match.app));
      return json_reply(std::move(events));
    }
    case Endpoint::kApplicationPush: return push_frame(match, content_type, body);
    case Endpoint::kApplicationStart: BASCULE_TRY(service->start(match.app)); break;
    case Endpoint::kApplicationStop: BASCULE_TRY(service->stop(match.app)); break;
    default: break;
  }
  BASCULE_ASSIGN(std::string state, service->describe(match.app));
  return json_reply(std::move(state));
}

Result<Reply> Handlers::push_frame(const Match& match, std::string_view content_type,
                                   const protocol::RequestBody& body) const {
  BASCULE_ASSIGN(PushedPicture pushed, pushed_picture(content_type, body));
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(unix_time()).count();
  BASCULE_ASSIGN(const std::uint64_t number,
                 options_.applications->push(match.app, std::move(pushed.picture), now));
  return json_reply(fmt::format(R"({{"app":{},"frame":{}}})", text::json_quoted(match.app), number), 202);
}

// Drawing takes as long as a prediction: not on the thread that reads.
void Handlers::application_frame(const Match& match, TimePoint started, Done done) {
  const auto waiting = std::make_shared<Done>(std::move(done));
  const auto posted = services_.executor.post([self = shared_from_this(), match, started, waiting] {
    const auto jpeg = self->options_.applications->last_picture(match.app);
    if (!jpeg) return (*waiting)(self->fail(match, jpeg.error(), started));
    (*waiting)({.content_type = kJpeg,
                .body = {.head = std::string(reinterpret_cast<const char*>(jpeg->data()), jpeg->size())}});
  });
  if (!posted) (*waiting)(fail(match, posted.error(), started));
}

Result<Reply> Handlers::event_stream(const Match& match, const RequestHead& head) {
  BASCULE_ASSIGN(const std::shared_ptr<EventHub> hub, options_.applications->hub(match.app));
  // The subscription tells the stream, which owns what takes from the subscription: from the first moment on,
  // when there is no stream yet. What came until then is what the stream begins with.
  const auto stream_of = std::make_shared<Guarded<std::weak_ptr<ReplyStream>>>();
  BASCULE_ASSIGN(std::unique_ptr<EventHub::Subscription> subscription,
                 hub->subscribe(head.last_event, [stream_of] {
                   if (const auto stream = stream_of->with([](const auto& s) { return s.lock(); })) {
                     stream->poke();
                   }
                 }));
  auto stream = std::make_shared<ReplyStream>(
      [hub, subscription = std::move(subscription)] { return events_of(subscription->take()); });
  stream_of->with([&](auto& s) { s = stream; });
  StreamEnd end(stream);
  const bool open = event_streams_.with([&](auto& streams) {
    if (!streams) return false;
    std::erase_if(*streams, [](const auto& one) { return one.expired(); });
    streams->push_back(stream);
    return true;
  });
  if (!open) return Error{.code = Code::kUnavailable, .message = "The server is shutting down."};
  Reply reply{.content_type = kEvents};
  reply.stream = std::move(end);
  return Result<Reply>(std::move(reply));
}

void Handlers::end_streams() {
  event_streams_.with([](auto& streams) {
    if (!streams) return;
    for (const auto& one : *streams) {
      if (const auto stream = one.lock()) stream->finish();
    }
    streams.reset();
  });
}

}  // namespace bascule::http

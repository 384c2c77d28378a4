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
#include "protocol/percent.h"

namespace bascule::http {
namespace {

using applications::ApplicationService;
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
  const auto reply_with = [started](Handlers& self, const Match& of, Result<Reply> reply, Done to) {
    to(reply ? *std::move(reply) : self.fail(of, reply.error(), started));
  };
  switch (match.route->endpoint) {
    case Endpoint::kApplicationList:
    case Endpoint::kApplicationEvents:
    case Endpoint::kApplicationPush:
      return reply_with(*this, match, application_reply(match, head, body), std::move(done));
    default: break;
  }
  elsewhere(
      match, started,
      [self = shared_from_this(), match, query = std::string(head.query), reply_with](Done next) {
        reply_with(*self, match, self->application_told(match, query), std::move(next));
      },
      std::move(done));
}

// What is answered at once.
Result<Reply> Handlers::application_reply(const Match& match, const RequestHead& head,
                                          const protocol::RequestBody& body) {
  ApplicationService* const service = options_.applications;
  if (match.route->endpoint == Endpoint::kApplicationList) {
    return json_reply(service != nullptr ? service->list() : R"({"applications":[]})");
  }
  if (service == nullptr) return no_applications();
  if (match.route->endpoint == Endpoint::kApplicationPush) return push_frame(match, head.content_type, body);
  if (accepts(head.accept, kEvents) && head.method != Method::kHead) return event_stream(match, head);
  BASCULE_ASSIGN(std::string events, service->events(match.app));
  return json_reply(std::move(events));
}

// What asks the disk what waits and what was counted, or draws.
Result<Reply> Handlers::application_told(const Match& match, std::string_view query) const {
  ApplicationService* const service = options_.applications;
  if (service == nullptr) return no_applications();
  switch (match.route->endpoint) {
    case Endpoint::kApplicationFrame: return application_frame(match);
    case Endpoint::kApplicationDays: return application_days(match, query);
    case Endpoint::kApplicationStart: BASCULE_TRY(service->start(match.app)); break;
    case Endpoint::kApplicationStop: BASCULE_TRY(service->stop(match.app)); break;
    case Endpoint::kApplicationSendAgain: {
      BASCULE_ASSIGN(const std::size_t events, service->send_again(match.app));
      return json_reply(fmt::format(R"({{"app":{},"events":{}}})", text::json_quoted(match.app), events));
    }
    default: break;
  }
  BASCULE_ASSIGN(std::string state, service->describe(match.app));
  return json_reply(std::move(state));
}

Result<Reply> Handlers::application_days(const Match& match, std::string_view query) const {
  bool csv = false;
  std::size_t most = ApplicationService::kMostDays;
  BASCULE_ASSIGN(const auto pairs, protocol::parse_query(query));
  for (const auto& [name, value] : pairs) {
    if (name == "format") {
      csv = value == "csv";
      if (!csv && value != "json") {
        return invalid_argument(fmt::format("'format' is '{}'; it must be json or csv.",
                                            text::escape_controls(text::shortened(value))));
      }
    } else if (name == "days") {
      const auto number = text::parse_int(value);
      if (!number || *number < 1 || *number > std::int64_t{ApplicationService::kMostDays}) {
        return invalid_argument(fmt::format("'days' is '{}'; it must be a number from 1 to {}.",
                                            text::escape_controls(text::shortened(value)),
                                            ApplicationService::kMostDays));
      }
      most = static_cast<std::size_t>(*number);
    }
  }
  BASCULE_ASSIGN(std::string days, options_.applications->days(match.app, most, csv));
  Reply reply = json_reply(std::move(days));
  if (csv) reply.content_type = kCsv;
  return Result<Reply>(std::move(reply));
}

std::vector<metrics::ApplicationNow> Handlers::applications_now() const {
  std::vector<metrics::ApplicationNow> out;
  if (options_.applications == nullptr) return out;
  for (applications::ApplicationState& one : options_.applications->states()) {
    applications::RunnerState& state = one.runner;
    metrics::ApplicationNow& now =
        out.emplace_back(metrics::ApplicationNow{.name = std::move(state.app),
                                                 .state = applications::to_string(state.status),
                                                 .frames = state.source.frames,
                                                 .handled = state.handled,
                                                 .dropped = state.dropped,
                                                 .failed = state.failed,
                                                 .reconnects = state.source.reconnects,
                                                 .events = state.events,
                                                 .retries = state.retries,
                                                 .inference = state.inference,
                                                 .rules = state.judging,
                                                 .last_frame_ms = state.last_frame_ms});
    for (applications::RuleState& rule : one.rules) {
      now.each_rule.push_back({.name = std::move(rule.rule),
                               .runs = rule.runs,
                               .events = rule.events,
                               .failures = rule.failures,
                               .took = rule.total});
    }
    for (applications::SinkState& sink : one.sinks) {
      now.each_sink.push_back({.name = std::move(sink.name),
                               .delivered = sink.delivered,
                               .failed = sink.failed,
                               .refused = sink.refused,
                               .dropped = sink.dropped,
                               .waiting = sink.waiting,
                               .oldest = sink.oldest});
    }
  }
  return out;
}

Result<Reply> Handlers::push_frame(const Match& match, std::string_view content_type,
                                   const protocol::RequestBody& body) const {
  BASCULE_ASSIGN(PushedPicture pushed, pushed_picture(content_type, body));
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(unix_time()).count();
  BASCULE_ASSIGN(const std::uint64_t number,
                 options_.applications->push(match.app, std::move(pushed.picture), now));
  return json_reply(fmt::format(R"({{"app":{},"frame":{}}})", text::json_quoted(match.app), number), 202);
}

Result<Reply> Handlers::application_frame(const Match& match) const {
  BASCULE_ASSIGN(const std::vector<std::byte> jpeg, options_.applications->last_picture(match.app));
  return Reply{.content_type = kJpeg,
               .body = {.head = std::string(reinterpret_cast<const char*>(jpeg.data()), jpeg.size())}};
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
      [hub, subscription = std::move(subscription)] { return events_of(subscription->take()); }, ":\n\n",
      options_.event_heartbeat);
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

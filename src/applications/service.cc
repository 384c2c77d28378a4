#include "applications/service.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "applications/day_counts.h"
#include "base/log.h"
#include "base/text.h"

namespace bascule::applications {
namespace {

constexpr std::size_t kListedEvents = 100;

std::string_view to_string(SourceStatus status) {
  switch (status) {
    case SourceStatus::kRunning: return "running";
    case SourceStatus::kWaiting: return "waiting";
    case SourceStatus::kEnded: return "ended";
    case SourceStatus::kFailed: return "failed";
  }
  return "unknown";
}

// The members that a list and a description share.
void append_state(std::string& out, const RunnerState& state) {
  const double handled = static_cast<double>(std::max<std::uint64_t>(state.handled, 1));
  fmt::format_to(
      std::back_inserter(out),
      R"("name":{},"state":"{}","error":{},"source":{{"state":"{}","error":{},"frames":{},"reconnects":{}}},)"
      R"("frames":{{"handled":{},"dropped":{},"failed":{},"last":{},"last_time_ms":{}}},"events":{},"retries":{},)"
      R"("mean_inference_ms":{:.3f},"mean_rules_ms":{:.3f},"last_latency_ms":{:.3f})",
      text::json_quoted(state.app), applications::to_string(state.status), text::json_quoted(state.error),
      to_string(state.source.status), text::json_quoted(state.source.error), state.source.frames,
      state.source.reconnects, state.handled, state.dropped, state.failed, state.last_frame,
      state.last_frame_ms, state.events, state.retries, to_ms(state.inference) / handled,
      to_ms(state.judging) / handled, to_ms(state.last_latency));
}

void append_rules(std::string& out, const std::vector<RuleState>& rules) {
  out += R"(,"rules":[)";
  for (bool first = true; const RuleState& rule : rules) {
    fmt::format_to(
        std::back_inserter(out),
        R"({}{{"name":{},"value":{},"holds":{},"stuck":{},"events":{},"failures":{},"overruns":{},)"
        R"("last_ms":{:.3f},"longest_ms":{:.3f},"error":{}}})",
        std::exchange(first, false) ? "" : ",", text::json_quoted(rule.rule), text::json_quoted(rule.value),
        rule.holds, rule.stuck, rule.events, rule.failures, rule.overruns, to_ms(rule.last),
        to_ms(rule.longest), text::json_quoted(rule.error));
  }
  out += ']';
}

void append_sinks(std::string& out, const std::vector<SinkState>& sinks) {
  out += R"(,"sinks":[)";
  for (bool first = true; const SinkState& sink : sinks) {
    fmt::format_to(std::back_inserter(out),
                   R"({}{{"name":{},"delivered":{},"failed":{},"refused":{},"dropped":{},"waiting":{},)"
                   R"("aside":{},"oldest_s":{:.3f},"error":{}}})",
                   std::exchange(first, false) ? "" : ",", text::json_quoted(sink.name), sink.delivered,
                   sink.failed, sink.refused, sink.dropped, sink.waiting, sink.aside, to_seconds(sink.oldest),
                   text::json_quoted(sink.last_error));
  }
  out += ']';
}

void append_till(std::string& out, const checkout::TillState& does) {
  fmt::format_to(std::back_inserter(out),
                 R"(,"till":{{"prices":{},"prices_error":{},"reloads":{},"refused":{},"counted":{}}})",
                 does.prices, text::json_quoted(does.prices_error), does.reloads, does.refused, does.counted);
}

}  // namespace

Result<const Application*> ApplicationService::find(std::string_view name) const {
  const auto found = std::ranges::find(all_, name, &Application::name);
  if (found != all_.end()) return &*found;
  std::vector<std::string> names;
  for (const Application& one : all_) names.push_back(one.name);
  const auto near = text::nearest(name, names);
  return not_found(
      fmt::format("There is no application '{}'{}", text::escape_controls(text::shortened(name)),
                  near ? fmt::format("; did you mean '{}'?", *near) : "; GET /apps lists them."));
}

ApplicationState ApplicationService::state_of(const Application& one) {
  ApplicationState state{.runner = one.runner->state()};
  if (one.parts) one.parts(state);
  return state;
}

std::vector<ApplicationState> ApplicationService::states() const {
  std::vector<ApplicationState> states;
  states.reserve(all_.size());
  for (const Application& one : all_) states.push_back(state_of(one));
  return states;
}

std::string ApplicationService::list() const {
  std::string out = R"({"applications":[)";
  for (const Application& one : all_) {
    if (out.back() == '}') out += ',';
    out += '{';
    append_state(out, one.runner->state());
    out += '}';
  }
  out += "]}";
  return out;
}

Result<std::string> ApplicationService::describe(std::string_view name) const {
  BASCULE_ASSIGN(const Application* one, find(name));
  std::string out = "{";
  const ApplicationState state = state_of(*one);
  append_state(out, state.runner);
  fmt::format_to(std::back_inserter(out), R"(,"takes_frames":{})", one->box != nullptr);
  append_rules(out, state.rules);
  append_sinks(out, state.sinks);
  if (one->till != nullptr) append_till(out, one->till->state());
  const auto scene = one->runner->scene();
  out += R"(,"scene":)";
  out += scene != nullptr ? *scene : "null";
  out += '}';
  return out;
}

Result<std::vector<std::byte>> ApplicationService::last_picture(std::string_view name) const {
  BASCULE_ASSIGN(const Application* one, find(name));
  return one->runner->last_picture();
}

Result<std::string> ApplicationService::events(std::string_view name) const {
  BASCULE_ASSIGN(const Application* one, find(name));
  std::string out = R"({"events":[)";
  for (bool first = true; const auto& event : one->events->latest(kListedEvents)) {
    if (!std::exchange(first, false)) out += ',';
    out += event->json;
  }
  out += "]}";
  return out;
}

Result<std::shared_ptr<EventHub>> ApplicationService::hub(std::string_view name) const {
  BASCULE_ASSIGN(const Application* one, find(name));
  return one->events;
}

Result<std::string> ApplicationService::days(std::string_view name, std::size_t most, bool csv) const {
  BASCULE_ASSIGN(const Application* one, find(name));
  std::vector<journal::Tally> tallies;
  if (one->days) {
    BASCULE_ASSIGN(tallies, one->days(most));
  }
  return csv ? days_csv(tallies) : days_json(one->name, tallies);
}

Result<std::size_t> ApplicationService::send_again(std::string_view name) const {
  BASCULE_ASSIGN(const Application* one, find(name));
  if (!one->send_again) return std::size_t{0};
  return one->send_again();
}

Result<std::uint64_t> ApplicationService::push(std::string_view name, content::EncodedPicture picture,
                                               std::int64_t time_ms) {
  BASCULE_ASSIGN(const Application* one, find(name));
  if (one->box == nullptr) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("'{}' has its frames from elsewhere; only applications with `source: "
                                        "{{push: true}}` take them so.",
                                        one->name)};
  }
  return one->box->push(std::move(picture), time_ms);
}

Result<std::shared_ptr<checkout::Till>> ApplicationService::till(std::string_view name) const {
  BASCULE_ASSIGN(const Application* one, find(name));
  if (one->till != nullptr) return one->till;
  return Error{.code = Code::kFailedPrecondition,
               .message = fmt::format("'{}' is no till; applications with a `checkout:` are.", one->name)};
}

Result<void> ApplicationService::start(std::string_view name) {
  BASCULE_ASSIGN(const Application* one, find(name));
  // One that is started while all are stopped would be waited for until its source ends.
  MutexLock lock(starting_);
  if (over_) {
    return Error{
        .code = Code::kUnavailable,
        .message = fmt::format("The server is stopping; start '{}' when it is there again.", one->name)};
  }
  if (one->box != nullptr) one->box->open(0);  // at once: the source comes a moment later
  return one->runner->start();
}

Result<void> ApplicationService::stop(std::string_view name) {
  BASCULE_ASSIGN(const Application* one, find(name));
  one->runner->stop();
  return {};
}

void ApplicationService::start_all() {
  MutexLock lock(starting_);
  if (over_) return;
  for (const Application& one : all_) {
    if (const auto started = one.runner->start(); !started) log::error("{}", started.error().message);
  }
}

void ApplicationService::stop_all() {
  {
    MutexLock lock(starting_);
    over_ = true;
  }
  for (const Application& one : all_) one.runner->stop();
  for (const Application& one : all_) one.runner->wait();
}

}  // namespace bascule::applications

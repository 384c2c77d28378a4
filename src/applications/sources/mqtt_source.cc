#include "applications/sources/mqtt_source.h"

#include <chrono>
#include <utility>

#include "applications/pause.h"
#include "base/date.h"

namespace bascule::applications {
namespace {

constexpr Duration kMostWait = std::chrono::seconds(1);

}  // namespace

Result<std::unique_ptr<Source>> MqttSource::open(const MqttSourceOptions& options, const Clock& clock) {
  BASCULE_ASSIGN(net::MqttSubscriber subscriber, net::MqttSubscriber::open(options.subscriber, clock));
  return std::unique_ptr<Source>(std::make_unique<MqttSource>(options, std::move(subscriber)));
}

Result<std::optional<Frame>> MqttSource::next(const Stop& stop) {
  while (!stop()) {
    Result<std::optional<net::MqttMessage>> message = subscriber_.next(kMostWait, stop);
    state_.with([&](SourceState& s) {
      s.dropped = subscriber_.dropped();
      s.status = message ? SourceStatus::kRunning : SourceStatus::kFailed;
      if (!message) s.error = message.error().message;
    });
    if (!message) return message.error();
    if (!*message || (*message)->payload.empty()) continue;
    const auto owner = std::make_shared<const std::vector<std::byte>>(std::move((*message)->payload));
    state_.with([](SourceState& s) { ++s.frames; });
    return std::optional(
        Frame{.picture = {.bytes = *owner, .owner = owner, .name = {}},
              .source = source_,
              .number = ++number_,
              .time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(unix_time()).count()});
  }
  return stopped();
}

}  // namespace bascule::applications

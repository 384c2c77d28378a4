#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "applications/source.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "net/mqtt.h"

namespace bascule::applications {

struct MqttSourceOptions {
  std::string source;  // the name that frames carry
  net::MqttSubscriberOptions subscriber;
  std::uint64_t after = 0;  // frames are numbered behind this
};

// Pictures that come as messages of an MQTT topic, while the broker is there; RetryingSource opens it again.
// Thread-safety: as Source.
class MqttSource final : public Source {
 public:
  // Errors: of net::MqttSubscriber::open. `clock` outlives it.
  static Result<std::unique_ptr<Source>> open(const MqttSourceOptions& options, const Clock& clock);
  MqttSource(const MqttSourceOptions& options, net::MqttSubscriber subscriber)
      : source_(options.source), subscriber_(std::move(subscriber)), number_(options.after) {}

  // Errors: of net::MqttSubscriber::next.
  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override {
    return state_.with([](const auto& s) { return s; });
  }
  [[nodiscard]] bool live() const override { return true; }

 private:
  const std::string source_;
  net::MqttSubscriber subscriber_;
  std::uint64_t number_;
  Guarded<SourceState> state_;
};

}  // namespace bascule::applications

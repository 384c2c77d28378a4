#include <string_view>
#include <utility>

#include "applications/sinks.h"
#include "applications/sinks/secret.h"
#include "net/mqtt.h"

namespace bascule::applications {
namespace {

// Thread-safety: external (one thread at a time).
class MqttSink final : public Sink {
 public:
  MqttSink(std::string topic, bool picture, net::MqttPublisher publisher)
      : topic_(std::move(topic)), picture_(picture), publisher_(std::move(publisher)) {}

  Result<void> deliver(const Event& event, const std::function<bool()>& stop) override {
    BASCULE_TRY(publisher_.publish(topic_, event.json, stop));
    if (!picture_ || event.picture == nullptr) return {};
    const std::string_view picture(reinterpret_cast<const char*>(event.picture->data()),
                                   event.picture->size());
    return publisher_.publish(topic_ + "/picture", picture, stop);
  }

  void idle() override { publisher_.idle(); }

 private:
  const std::string topic_;
  const bool picture_;
  net::MqttPublisher publisher_;
};

}  // namespace

Result<std::unique_ptr<Sink>> open_mqtt_sink(const MqttSinkOptions& options, const Clock& clock) {
  BASCULE_ASSIGN(net::MqttAddress address, net::parse_mqtt_url(options.url));
  if (address.topic.empty() || address.topic.find_first_of("+#") != std::string::npos) {
    return invalid_argument(
        "The broker's address needs a topic without '+' and '#' behind it, as in "
        "mqtt://HOST:PORT/TOPIC.");
  }
  net::MqttOptions broker{
      .url = address.url, .user = options.user, .ca_file = options.ca_file, .time_limit = options.time_limit};
  if (!options.password_file.empty()) {
    if (options.user.empty()) return invalid_argument("A password_file is given, but no user; give both.");
    BASCULE_ASSIGN(broker.password, read_secret(options.password_file));
  }
  BASCULE_ASSIGN(net::MqttPublisher publisher, net::MqttPublisher::open(broker, clock));
  return std::unique_ptr<Sink>(
      std::make_unique<MqttSink>(std::move(address.topic), options.picture, std::move(publisher)));
}

}  // namespace bascule::applications

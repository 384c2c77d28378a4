#include "net/mqtt.h"

#include <mosquitto.h>

#include <algorithm>
#include <deque>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "net/mqtt_connection.h"

namespace bascule::net {
namespace {

constexpr std::size_t kMaxText = 4096;  // of a URL
constexpr int kPort = 1883;
constexpr int kTlsPort = 8883;

Error bad_url(std::string_view why) {
  return invalid_argument(fmt::format(
      "This is no address of a broker: {}. Write it as mqtt://HOST:PORT/TOPIC, or mqtts://.", why));
}

bool is_host(std::string_view host, bool ipv6) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [ipv6](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           (ipv6 ? c == ':' : c == '-' || c == '_');
  });
}

}  // namespace

std::string MqttAddress::shown() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
}

Result<MqttAddress> parse_mqtt_url(const std::string& text) {
  MqttAddress address;
  if (text.size() > kMaxText) return bad_url(fmt::format("it has more than {} characters", kMaxText));
  std::string_view rest = text;
  if (rest.starts_with("mqtts://")) {
    address.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("mqtt://")) {
    rest.remove_prefix(7);
  } else {
    return bad_url("it begins with neither mqtt:// nor mqtts://");
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view host = rest.substr(0, slash);
  if (slash < rest.size()) address.topic = rest.substr(slash + 1);
  if (host.find('@') != std::string_view::npos) {
    return bad_url("it holds a name or password; user and password_file are the place for them");
  }
  std::string_view port;
  const bool ipv6 = host.starts_with('[');
  const std::size_t end =
      ipv6 ? std::min(host.find(']'), host.size()) : std::min(host.find(':'), host.size());
  if (ipv6 && end == host.size()) return bad_url("its '[' is not closed");
  const std::string_view behind = host.substr(ipv6 ? end + 1 : end);
  if (!behind.empty() && !behind.starts_with(':')) return bad_url("something stands behind its ']'");
  if (!behind.empty()) port = behind.substr(1);
  host = ipv6 ? host.substr(1, end - 1) : host.substr(0, end);
  if (!is_host(host, ipv6)) {
    return bad_url(fmt::format("'{}' is no host", text::escape_controls(text::shortened(host))));
  }
  address.host = host;
  address.port = address.tls ? kTlsPort : kPort;
  if (!behind.empty()) {
    const auto number = text::parse_int(port);
    if (!number || *number < 1 || *number > 65535) return bad_url("its port is none from 1 to 65535");
    address.port = static_cast<int>(*number);
  }
  if (!text::is_utf8(address.topic)) return bad_url("its topic is not UTF-8");
  address.url = fmt::format("{}://{}", address.tls ? "mqtts" : "mqtt", address.shown());
  return address;
}

struct MqttPublisher::State {
  std::unique_ptr<MqttConnection> connection;
};

MqttPublisher::MqttPublisher(std::unique_ptr<State> state) : state_(std::move(state)) {}
MqttPublisher::~MqttPublisher() = default;
MqttPublisher::MqttPublisher(MqttPublisher&&) noexcept = default;
MqttPublisher& MqttPublisher::operator=(MqttPublisher&&) noexcept = default;

Result<MqttPublisher> MqttPublisher::open(const MqttOptions& options, const Clock& clock) {
  BASCULE_ASSIGN(auto connection, MqttConnection::open(options, clock));
  return MqttPublisher(std::make_unique<State>(State{.connection = std::move(connection)}));
}

Result<void> MqttPublisher::publish(const std::string& topic, std::string_view payload,
                                    const std::function<bool()>& stop) {
  MqttConnection& connection = *state_->connection;
  // What the broker has done meanwhile, such as going away.
  const bool kept = connection.connected() && connection.step({});
  if (kept) {
    const Result<void> sent = connection.publish(topic, payload, stop);
    // An old connection may be dead without a word: a new one is worth a try at once.
    if (sent || sent.error().code != Code::kUnavailable || stop()) return sent;
  }
  BASCULE_TRY(connection.connect(stop));
  return connection.publish(topic, payload, stop);
}

void MqttPublisher::idle() {
  MqttConnection& connection = *state_->connection;
  // What fails is found again by the next message.
  if (connection.connected()) (void)connection.step({});
}

struct MqttSubscriber::State {
  void take(const mosquitto_message& message) {
    const auto size = static_cast<std::size_t>(std::max(message.payloadlen, 0));
    if (size > options.max_bytes) {
      ++dropped;
      return;
    }
    if (queue.size() >= std::max<std::size_t>(options.max_queue, 1)) {
      queue.pop_front();
      ++dropped;
    }
    const auto* const bytes = static_cast<const std::byte*>(message.payload);
    queue.push_back({.topic = message.topic, .payload = {bytes, bytes + size}});
  }

  MqttSubscriberOptions options;
  const Clock* clock = nullptr;
  std::deque<MqttMessage> queue;
  std::uint64_t dropped = 0;
  std::uint64_t connections = 0;
  std::unique_ptr<MqttConnection> connection;
};

MqttSubscriber::MqttSubscriber(std::unique_ptr<State> state) : state_(std::move(state)) {}
MqttSubscriber::~MqttSubscriber() = default;
MqttSubscriber::MqttSubscriber(MqttSubscriber&&) noexcept = default;
MqttSubscriber& MqttSubscriber::operator=(MqttSubscriber&&) noexcept = default;

Result<MqttSubscriber> MqttSubscriber::open(const MqttSubscriberOptions& options, const Clock& clock) {
  if (options.topic.empty() ||
      mosquitto_sub_topic_check2(options.topic.data(), options.topic.size()) != MOSQ_ERR_SUCCESS) {
    return invalid_argument(fmt::format("'{}' is no topic to subscribe to.",
                                        text::escape_controls(text::shortened(options.topic))));
  }
  auto state = std::make_unique<State>();
  state->options = options;
  state->clock = &clock;
  BASCULE_ASSIGN(
      state->connection,
      MqttConnection::open(options.broker, clock, [state = state.get()](const mosquitto_message& message) {
        state->take(message);
      }));
  return MqttSubscriber(std::move(state));
}

Result<std::optional<MqttMessage>> MqttSubscriber::next(Duration most, const std::function<bool()>& stop) {
  State& state = *state_;
  constexpr Duration kLook = std::chrono::milliseconds(50);
  const TimePoint end = state.clock->now() + most;
  while (state.queue.empty()) {
    if (!state.connection->connected()) {
      BASCULE_TRY(state.connection->connect(stop));
      BASCULE_TRY(state.connection->subscribe(state.options.topic, stop));
      ++state.connections;
      continue;
    }
    const TimePoint now = state.clock->now();
    if (now >= end || stop()) return std::optional<MqttMessage>();
    BASCULE_TRY(state.connection->step(std::min(kLook, end - now)));
  }
  std::optional<MqttMessage> message(std::move(state.queue.front()));
  state.queue.pop_front();
  return message;
}

std::uint64_t MqttSubscriber::dropped() const { return state_->dropped; }
std::uint64_t MqttSubscriber::connections() const { return state_->connections; }

}  // namespace bascule::net

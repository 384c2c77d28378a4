#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace bascule::net {

struct MqttOptions {
  std::string url;                // mqtt://HOST[:PORT] or mqtts://HOST[:PORT], without a path
  std::string client_id;          // empty: the broker gives one
  std::string user;               // empty: none
  std::string password;           // secret
  std::filesystem::path ca_file;  // whose certificates mqtts trusts; empty: the system's
  Duration time_limit = std::chrono::seconds(10);  // to connect, and for the broker's word on a message
  Duration keep_alive = std::chrono::seconds(30);  // at most so long without a word from either side
};

// A URL of a broker and the topic behind it: "mqtt://host:1883/plant/line-3".
// Thread-safety: a value.
struct MqttAddress {
  std::string url;   // for MqttOptions
  std::string host;  // without brackets
  int port = 0;
  bool tls = false;
  std::string topic;  // may be empty
  // "host:1883", for messages.
  [[nodiscard]] std::string shown() const;
};
// Errors: kInvalidArgument with the part that is wrong. A name or password in the URL is refused.
Result<MqttAddress> parse_mqtt_url(const std::string& text);

// Thread-safety: a value.
struct MqttMessage {
  std::string topic;
  std::vector<std::byte> payload;
};

// Sends messages to an MQTT broker (3.1.1) with quality of service 1, over a connection that is kept and made
// anew when it is lost. All of it happens on the caller's thread.
// Thread-safety: external (one thread at a time).
class MqttPublisher {
 public:
  // Connects when it is first needed. `clock` outlives it. Errors: kInvalidArgument for options that make no
  // sense, or a CA file that cannot be read.
  static Result<MqttPublisher> open(const MqttOptions& options, const Clock& clock);
  ~MqttPublisher();
  MqttPublisher(MqttPublisher&&) noexcept;
  MqttPublisher& operator=(MqttPublisher&&) noexcept;

  // Waits until the broker has acknowledged it; `stop` is asked now and then whether to give up. Errors:
  // kInvalidArgument for a topic or payload that no broker takes; kUnavailable for the rest, with why.
  Result<void> publish(const std::string& topic, std::string_view payload, const std::function<bool()>& stop);
  // Keeps the connection alive; called every few seconds while nothing is published.
  void idle();

 private:
  struct State;
  explicit MqttPublisher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct MqttSubscriberOptions {
  MqttOptions broker;
  std::string topic;                     // may hold + and #
  std::size_t max_queue = 16;            // messages that wait to be taken; the oldest are dropped beyond it
  std::size_t max_bytes = 64ULL << 20U;  // of one message; larger ones are dropped
};

// Takes the messages of a topic, with quality of service 1, and comes back when the broker was away. All of
// it happens within next(), so that must be called without long pauses.
// Thread-safety: external (one thread at a time).
class MqttSubscriber {
 public:
  // Errors: as MqttPublisher::open; a topic that is none.
  static Result<MqttSubscriber> open(const MqttSubscriberOptions& options, const Clock& clock);
  ~MqttSubscriber();
  MqttSubscriber(MqttSubscriber&&) noexcept;
  MqttSubscriber& operator=(MqttSubscriber&&) noexcept;

  // The next message; nothing after `most`, or when `stop` says so. Errors: kUnavailable while there is no
  // connection: each call then tries once; the caller waits between two.
  Result<std::optional<MqttMessage>> next(Duration most, const std::function<bool()>& stop);
  [[nodiscard]] std::uint64_t dropped() const;
  [[nodiscard]] std::uint64_t connections() const;  // that were made

 private:
  struct State;
  explicit MqttSubscriber(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bascule::net

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/mqtt.h"

struct mosquitto;
struct mosquitto_message;  // NOLINT(readability-identifier-naming): its name is its own

namespace bascule::net {

// One connection to a broker at a time, with libmosquitto's machine and our own waiting: its own waits in
// select(), which knows no file number beyond 1023.
// Thread-safety: external (one thread).
class MqttConnection {
 public:
  // On the thread that calls step(); only payloads that it may look at during the call.
  using Take = std::function<void(const mosquitto_message&)>;

  static Result<std::unique_ptr<MqttConnection>> open(const MqttOptions& options, const Clock& clock,
                                                      Take take = {});
  // For open().
  MqttConnection(const MqttOptions& options, MqttAddress address, const Clock& clock, Take take);
  ~MqttConnection();
  MqttConnection(const MqttConnection&) = delete;
  MqttConnection& operator=(const MqttConnection&) = delete;

  [[nodiscard]] bool connected() const { return client_ != nullptr && welcome_; }
  // Makes a new connection, and waits until the broker has said yes. Errors: kUnavailable with why.
  Result<void> connect(const std::function<bool()>& stop);
  // Both wait for the broker's word, at most the time limit of the options. Where that fails, the connection
  // is given up. Errors: kUnavailable; kInvalidArgument for what no broker takes.
  Result<void> publish(const std::string& topic, std::string_view payload, const std::function<bool()>& stop);
  Result<void> subscribe(const std::string& topic, const std::function<bool()>& stop);
  // Reads and writes what there is, waits for at most `most`. Errors: kUnavailable where the connection is
  // lost; it is then given up.
  Result<void> step(Duration most);

 private:
  struct Free {
    void operator()(mosquitto* client) const;
  };
  struct Callbacks;

  Result<void> make_client();
  Result<void> wait_for(const bool& done, std::string_view what, const std::function<bool()>& stop);
  [[nodiscard]] Error failed(std::string_view what) const;
  [[nodiscard]] Error failed(int code) const;
  Error give_up(Error error);

  const MqttOptions options_;
  const MqttAddress address_;
  const Clock& clock_;
  const Take take_;
  std::unique_ptr<mosquitto, Free> client_;
  std::string said_;      // the library's last complaint
  std::string refusal_;   // of the broker: why it says no
  bool welcome_ = false;  // the broker has said yes
  bool answered_ = false;
  int awaited_ = 0;  // the number of the message whose acknowledgement `answered_` stands for
};

}  // namespace bascule::net

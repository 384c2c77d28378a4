#include "net/mqtt_connection.h"

#include <mosquitto.h>
#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::net {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(50);  // whether it is still wanted
constexpr std::size_t kMaxPayload = 268'435'455;                // MQTT 3.1.1, 2.2.3
constexpr int kRefused = 0x80;                                  // MQTT 3.1.1, 3.9.3

}  // namespace

// What libmosquitto calls, within step().
// Thread-safety: external (one thread).
struct MqttConnection::Callbacks {
  static MqttConnection& self(void* user) { return *static_cast<MqttConnection*>(user); }
  static void connected(mosquitto* /*client*/, void* user, int code) {
    self(user).welcome_ = code == 0;
    if (code != 0) self(user).refusal_ = mosquitto_connack_string(code);
  }
  static void published(mosquitto* /*client*/, void* user, int number) {
    if (number == self(user).awaited_) self(user).answered_ = true;
  }
  static void subscribed(mosquitto* /*client*/, void* user, int number, int count, const int* granted) {
    if (number != self(user).awaited_) return;
    self(user).answered_ = true;
    if (count > 0 && granted[0] == kRefused) self(user).refusal_ = "it does not allow this topic";
  }
  static void message(mosquitto* /*client*/, void* user, const mosquitto_message* message) {
    if (self(user).take_) self(user).take_(*message);
  }
  static void log(mosquitto* /*client*/, void* user, int level, const char* text) {
    if (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING) self(user).said_ = text;
  }
};

void MqttConnection::Free::operator()(mosquitto* client) const { mosquitto_destroy(client); }

MqttConnection::MqttConnection(const MqttOptions& options, MqttAddress address, const Clock& clock, Take take)
    : options_(options), address_(std::move(address)), clock_(clock), take_(std::move(take)) {}

Result<std::unique_ptr<MqttConnection>> MqttConnection::open(const MqttOptions& options, const Clock& clock,
                                                             Take take) {
  BASCULE_ASSIGN(MqttAddress address, parse_mqtt_url(options.url));
  if (!options.ca_file.empty()) {
    if (!address.tls) {
      return invalid_argument(
          fmt::format("'{}' is reached without TLS, so that no ca_file is looked at; write "
                      "mqtts:// or leave it out.",
                      address.shown()));
    }
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(options.ca_file, ignored)) {
      return not_found(fmt::format("There is no file '{}' of certificates.", options.ca_file.string()));
    }
  }
  mosquitto_lib_init();  // counted
  return std::make_unique<MqttConnection>(options, std::move(address), clock, std::move(take));
}

MqttConnection::~MqttConnection() {
  if (connected() && mosquitto_disconnect(client_.get()) == MOSQ_ERR_SUCCESS)
    (void)mosquitto_loop_write(client_.get(), 1);
  client_.reset();
  mosquitto_lib_cleanup();
}

Error MqttConnection::failed(std::string_view what) const {
  return {.code = Code::kUnavailable, .message = fmt::format("The broker '{}' {}.", address_.shown(), what)};
}

Error MqttConnection::failed(int code) const {
  const std::string why = said_.empty() ? mosquitto_strerror(code) : text::escape_controls(said_);
  if (code == MOSQ_ERR_TLS) {
    return failed(fmt::format(
        "cannot be reached safely: {}; its certificate may be for another name, too old, or of an "
        "authority that ca_file has to name",
        why));
  }
  if (code == MOSQ_ERR_EAI) return failed("is not found; look how its name is spelt");
  if (!welcome_) return failed(fmt::format("takes no connection ({})", mosquitto_strerror(code)));
  return failed(fmt::format("has closed the connection ({})", mosquitto_strerror(code)));
}

Error MqttConnection::give_up(Error error) {
  client_.reset();
  welcome_ = false;
  return error;
}

Result<void> MqttConnection::make_client() {
  // Nothing of an earlier connection goes on; with a name, the broker keeps what it has for it.
  client_.reset(mosquitto_new(options_.client_id.empty() ? nullptr : options_.client_id.c_str(),
                              options_.client_id.empty(), this));
  welcome_ = false;
  said_.clear();
  refusal_.clear();
  mosquitto* const client = client_.get();
  bool ok = client != nullptr;
  if (ok && !options_.user.empty()) {
    ok = mosquitto_username_pw_set(client, options_.user.c_str(), options_.password.c_str()) ==
         MOSQ_ERR_SUCCESS;
  }
  if (ok && address_.tls) {
    ok = options_.ca_file.empty()
             ? mosquitto_int_option(client, MOSQ_OPT_TLS_USE_OS_CERTS, 1) == MOSQ_ERR_SUCCESS
             : mosquitto_tls_set(client, options_.ca_file.c_str(), nullptr, nullptr, nullptr, nullptr) ==
                   MOSQ_ERR_SUCCESS;
  }
  if (!ok) return give_up(internal_error("The library that speaks MQTT could not begin."));
  (void)mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_callback_set(client, Callbacks::connected);
  mosquitto_publish_callback_set(client, Callbacks::published);
  mosquitto_subscribe_callback_set(client, Callbacks::subscribed);
  mosquitto_message_callback_set(client, Callbacks::message);
  mosquitto_log_callback_set(client, Callbacks::log);
  return {};
}

Result<void> MqttConnection::connect(const std::function<bool()>& stop) {
  BASCULE_TRY(make_client());
  const auto keep_alive = std::clamp<std::int64_t>(options_.keep_alive / std::chrono::seconds(1), 5, 65535);
  const int code = mosquitto_connect_async(client_.get(), address_.host.c_str(), address_.port,
                                           static_cast<int>(keep_alive));
  if (code > MOSQ_ERR_SUCCESS) return give_up(failed(code));
  return wait_for(welcome_, "did not take the connection in time", stop);
}

Result<void> MqttConnection::wait_for(const bool& done, std::string_view what,
                                      const std::function<bool()>& stop) {
  const TimePoint end = clock_.now() + options_.time_limit;
  while (!done) {
    BASCULE_TRY(step(std::min(kLookEvery, options_.time_limit)));
    if (!refusal_.empty())
      return give_up(failed(fmt::format("says no: {}", text::escape_controls(refusal_))));
    if (!done && (stop() || clock_.now() >= end)) return give_up(failed(what));
  }
  return {};
}

Result<void> MqttConnection::publish(const std::string& topic, std::string_view payload,
                                     const std::function<bool()>& stop) {
  if (topic.empty() || mosquitto_pub_topic_check2(topic.data(), topic.size()) != MOSQ_ERR_SUCCESS) {
    return invalid_argument(
        fmt::format("'{}' is no topic to publish to.", text::escape_controls(text::shortened(topic))));
  }
  if (payload.size() > kMaxPayload) {
    return invalid_argument(fmt::format("A message of {} is more than MQTT can carry, {}.",
                                        text::human_bytes(payload.size()), text::human_bytes(kMaxPayload)));
  }
  answered_ = false;
  // The acknowledgement comes in a later step.
  const int code = mosquitto_publish(client_.get(), &awaited_, topic.c_str(),
                                     static_cast<int>(payload.size()), payload.data(), 1, false);
  if (code != MOSQ_ERR_SUCCESS) return give_up(failed(code));
  return wait_for(answered_, "did not acknowledge the message in time", stop);
}

Result<void> MqttConnection::subscribe(const std::string& topic, const std::function<bool()>& stop) {
  answered_ = false;
  const int code = mosquitto_subscribe(client_.get(), &awaited_, topic.c_str(), 1);
  if (code != MOSQ_ERR_SUCCESS) return give_up(failed(code));
  return wait_for(answered_, "did not answer the subscription in time", stop);
}

Result<void> MqttConnection::step(Duration most) {
  mosquitto* const client = client_.get();
  int code = MOSQ_ERR_NO_CONN;
  if (client != nullptr && mosquitto_socket(client) >= 0) {
    pollfd wait{.fd = mosquitto_socket(client), .events = POLLIN, .revents = 0};
    if (mosquitto_want_write(client)) wait.events |= POLLOUT;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(most, Duration{})).count();
    poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max())));
    code = MOSQ_ERR_SUCCESS;
    // A TLS handshake goes on in the reader, whichever way the socket is ready.
    const bool read = (wait.revents & ~POLLOUT) != 0 || (address_.tls && !welcome_ && wait.revents != 0);
    if (read) code = mosquitto_loop_read(client, 1);
    if (code == MOSQ_ERR_SUCCESS && (wait.revents & POLLOUT) != 0 && mosquitto_socket(client) >= 0) {
      code = mosquitto_loop_write(client, 1);
    }
    if (code == MOSQ_ERR_SUCCESS) code = mosquitto_loop_misc(client);
  }
  if (code == MOSQ_ERR_SUCCESS) return {};
  if (!refusal_.empty()) return give_up(failed(fmt::format("says no: {}", text::escape_controls(refusal_))));
  return give_up(failed(code));
}

}  // namespace bascule::net

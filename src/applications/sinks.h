#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "applications/sink.h"
#include "base/clock.h"
#include "base/result.h"

// The sinks that there are; docs/sinks.md tells what each sends.
namespace bascule::applications {

struct WebhookOptions {
  std::string url;                         // http or https
  std::filesystem::path secret_file = {};  // of the signature; empty: unsigned
  std::filesystem::path ca_file = {};      // whose certificates https trusts; empty: the system's
  bool picture = false;                    // sends it along, as multipart/form-data
  bool allow_private = false;  // addresses that are none of the public internet may be connected to
  Duration time_limit = std::chrono::seconds(10);  // for one try
};
// Posts each event. An answer of 200 to 299 says that it has it; of 400 to 499 that it never will, but for
// 408, 425 and 429. `clock` outlives the sink. Errors: kInvalidArgument for a URL that cannot be asked;
// kNotFound, kInvalidArgument for a file that cannot be read, or holds no secret.
Result<std::unique_ptr<Sink>> open_webhook(const WebhookOptions& options, const Clock& clock);

struct MqttSinkOptions {
  std::string url;                                 // mqtt://HOST[:PORT]/TOPIC or mqtts://
  std::string user = {};                           // empty: none
  std::filesystem::path password_file = {};        // empty: none
  std::filesystem::path ca_file = {};              // whose certificates mqtts trusts; empty: the system's
  bool picture = true;                             // publishes it behind the event, on TOPIC/picture
  Duration time_limit = std::chrono::seconds(10);  // for one message
};
// Publishes each event's JSON on the topic with quality of service 1. `clock` outlives the sink. Errors:
// kInvalidArgument for a URL without topic, and as open_webhook.
Result<std::unique_ptr<Sink>> open_mqtt_sink(const MqttSinkOptions& options, const Clock& clock);

// Appends a line to a file, and waits until it is on the disk: the event's JSON, or its fields as CSV with a
// header line. A half line that a power cut left is taken away. An event that stands in the last
// 256 KiB already is not written again. The file may be moved away at any time: a new one is begun.
std::unique_ptr<Sink> make_jsonl_sink(const std::filesystem::path& file);
std::unique_ptr<Sink> make_csv_sink(const std::filesystem::path& file);

// Writes each event's picture as a file of its own, TIME-ID.jpg, whole or not at all. The folder is made.
std::unique_ptr<Sink> make_picture_sink(const std::filesystem::path& folder);

}  // namespace bascule::applications

#include "app/application_sources.h"

#include <utility>

#include <fmt/format.h>

#include "app/application_sinks.h"
#include "app/videos.h"
#include "applications/sources/belt_source.h"
#include "applications/sources/camera_source.h"
#include "applications/sources/folder_source.h"
#include "applications/sources/labels_source.h"
#include "applications/sources/mqtt_source.h"
#include "applications/sources/retrying_source.h"
#include "applications/sources/video_source.h"
#include "base/file.h"
#include "base/text.h"
#include "net/mqtt.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;
using applications::RetryingSource;
using applications::Source;
using Channel = config::ApplicationYaml::Channel;
using Opened = Result<std::unique_ptr<Source>>;

constexpr std::uint64_t kMaxPassword = 4096;

double number_of(const Channel& source, const std::string& name, double otherwise) {
  return text::parse_double(setting_of(source, name, "")).value_or(otherwise);
}

int integer_of(const Channel& source, const std::string& name, int otherwise) {
  return static_cast<int>(text::parse_int(setting_of(source, name, "")).value_or(otherwise));
}

Error at(const Channel& source, Error error) {
  error.message = fmt::format("{}: {}", source.place, error.message);
  return error;
}

// Opens a source again when it fails.
OpenSource retried(const Channel& source, const SourceParts& parts, bool live, OpenSource open) {
  return [name = source.kind, live, seed = parts.seed, open = std::move(open),
          &clock = parts.clock](std::uint64_t after) -> Opened {
    return std::unique_ptr<Source>(std::make_unique<RetryingSource>(
        applications::RetryingOptions{
            .source = name, .live = live, .endless = live, .after = after, .back_off = {.seed = seed}},
        open, clock));
  };
}

OpenSource folder_of(const Channel& source, const SourceParts& parts) {
  applications::FolderOptions options{.source = source.kind,
                                      .folder = parts.folder / source.target,
                                      .index = parts.state / "pictures.sqlite",
                                      .follow = setting_of(source, "follow", "true") == "true"};
  return [options, &clock = parts.clock](std::uint64_t after) -> Opened {
    applications::FolderOptions behind = options;
    behind.after = after;
    return applications::FolderSource::open(std::move(behind), clock);
  };
}

OpenSource video_of(const Channel& source, const SourceParts& parts) {
  applications::VideoOptions options{.source = source.kind,
                                     .file = (parts.folder / source.target).string(),
                                     .fps = number_of(source, "fps", 25)};
  return retried(source, parts, false,
                 [options, &values = parts.values, &clock = parts.clock](std::uint64_t after) -> Opened {
                   applications::VideoOptions behind = options;
                   behind.after = after;
                   BASCULE_ASSIGN(behind.reader, reader_options(values));
                   return applications::VideoSource::open(std::move(behind), clock);
                 });
}

Result<OpenSource> camera_of(const Channel& source, const SourceParts& parts) {
  auto address = video::parse_camera(source.target);
  if (!address) return at(source, std::move(address).error());
  applications::CameraSourceOptions options{
      .source = source.kind,
      .address = *std::move(address),
      .camera = {.max_fps = number_of(source, "fps", 0),
                 .max_pixels = static_cast<std::uint64_t>(parts.values.integer("max_pixels")),
                 .width = integer_of(source, "width", 0),
                 .height = integer_of(source, "height", 0)}};
  return retried(source, parts, true,
                 [options, &values = parts.values, &clock = parts.clock](std::uint64_t after) -> Opened {
                   applications::CameraSourceOptions behind = options;
                   behind.after = after;
                   BASCULE_ASSIGN(const video::ReaderOptions reader, reader_options(values));
                   behind.camera.program = reader.program;
                   return applications::CameraSource::open(behind, clock);
                 });
}

Result<OpenSource> mqtt_of(const Channel& source, const SourceParts& parts) {
  auto address = net::parse_mqtt_url(source.target);
  if (!address) return at(source, std::move(address).error());
  applications::MqttSourceOptions options{
      .source = source.kind,
      .subscriber = {.broker = {.url = address->url, .user = setting_of(source, "user", "")},
                     .topic = address->topic}};
  if (const std::string file = setting_of(source, "ca_file", ""); !file.empty()) {
    options.subscriber.broker.ca_file = parts.folder / file;
  }
  if (const std::string file = setting_of(source, "password_file", ""); !file.empty()) {
    auto bytes = read_file(parts.folder / file, kMaxPassword);
    if (!bytes) return at(source, std::move(bytes).error());
    options.subscriber.broker.password =
        text::trimmed({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  }
  return retried(source, parts, true, [options, &clock = parts.clock](std::uint64_t after) -> Opened {
    applications::MqttSourceOptions behind = options;
    behind.after = after;
    return applications::MqttSource::open(behind, clock);
  });
}

OpenSource labels_of(const Channel& source, const SourceParts& parts) {
  return [options = applications::LabelsOptions{.source = source.kind,
                                                .folder = parts.folder / source.target,
                                                .fps = number_of(source, "fps", 1)}](
             std::uint64_t after) -> Opened {
    applications::LabelsOptions behind = options;
    behind.after = after;
    return applications::LabelsSource::open(std::move(behind));
  };
}

OpenSource belt_of(const Channel& source, const SourceParts& parts) {
  const std::string labels = setting_of(source, "labels", "");
  applications::BeltOptions options{
      .source = source.kind,
      .picture = parts.folder / source.target,
      .labels = labels.empty() ? fs::path() : parts.folder / labels,
      .window = integer_of(source, "window", 1280),
      .speed = number_of(source, "speed", 40),
      .drop_every = static_cast<std::uint64_t>(integer_of(source, "drop_every", 0)),
      .fps = number_of(source, "fps", 25)};
  return [options](std::uint64_t after) -> Opened {
    applications::BeltOptions behind = options;
    behind.after = after;
    return applications::BeltSource::open(std::move(behind));
  };
}

}  // namespace

double max_fps_of(const Channel& source) {
  // A camera's frames are left out before they are decoded to pictures; of the others it is their pace.
  const bool capped = source.kind == "folder" || source.kind == "push" || source.kind == "mqtt";
  return capped ? number_of(source, "fps", 0) : 0;
}

Result<OpenSource> source_of(const config::ApplicationYaml& application, SourceParts parts) {
  const Channel& source = application.source;
  if (source.kind == "folder") return folder_of(source, parts);
  if (source.kind == "video") return video_of(source, parts);
  if (source.kind == "camera") return camera_of(source, parts);
  if (source.kind == "mqtt") return mqtt_of(source, parts);
  if (source.kind == "labels") return labels_of(source, parts);
  if (source.kind == "belt") return belt_of(source, parts);
  return OpenSource([box = std::move(parts.box)](std::uint64_t after) -> Opened {
    return std::unique_ptr<Source>(std::make_unique<applications::PushSource>(box, after));
  });
}

}  // namespace bascule::app

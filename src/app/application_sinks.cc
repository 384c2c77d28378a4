#include "app/application_sinks.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "applications/sinks.h"
#include "base/text.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;
using Channel = config::ApplicationYaml::Channel;

// A path that the file names; empty where it does not.
fs::path path_of(const Channel& channel, const std::string& name, const fs::path& folder) {
  const std::string said = setting_of(channel, name, "");
  return said.empty() ? fs::path() : folder / said;
}

bool picture_wanted(const Channel& sink) {
  if (sink.kind == "pictures") return true;
  const bool usual = sink.kind == "mqtt";
  if (sink.kind != "mqtt" && sink.kind != "webhook") return false;
  return setting_of(sink, "picture", usual ? "true" : "false") == "true";
}

// For one try; the file says milliseconds by now.
Duration limit_of(const Channel& sink) {
  const auto said = text::parse_int(setting_of(sink, "time_limit", ""));
  return said ? Duration(std::chrono::milliseconds(*said)) : Duration(std::chrono::seconds(10));
}

Result<std::unique_ptr<applications::Sink>> open_sink(const Channel& sink, const fs::path& folder,
                                                      const Clock& clock) {
  if (sink.kind == "jsonl") return applications::make_jsonl_sink(folder / sink.target);
  if (sink.kind == "csv") return applications::make_csv_sink(folder / sink.target);
  if (sink.kind == "pictures") return applications::make_picture_sink(folder / sink.target);
  if (sink.kind == "webhook") {
    return applications::open_webhook({.url = sink.target,
                                       .secret_file = path_of(sink, "secret_file", folder),
                                       .ca_file = path_of(sink, "ca_file", folder),
                                       .picture = picture_wanted(sink),
                                       .allow_private = setting_of(sink, "allow_private", "false") == "true",
                                       .time_limit = limit_of(sink)},
                                      clock);
  }
  return applications::open_mqtt_sink({.url = sink.target,
                                       .user = setting_of(sink, "user", ""),
                                       .password_file = path_of(sink, "password_file", folder),
                                       .ca_file = path_of(sink, "ca_file", folder),
                                       .picture = picture_wanted(sink),
                                       .time_limit = limit_of(sink)},
                                      clock);
}

}  // namespace

std::string setting_of(const Channel& channel, const std::string& name, const std::string& otherwise) {
  const auto found = channel.settings.find(name);
  return found == channel.settings.end() ? otherwise : found->second.text;
}

bool wants_pictures(const config::ApplicationYaml& application) {
  return std::ranges::any_of(application.sinks, picture_wanted);
}

Result<std::vector<applications::NamedSink>> open_sinks(const config::ApplicationYaml& application,
                                                        const fs::path& folder, const Clock& clock) {
  std::vector<applications::NamedSink> all;
  for (const Channel& sink : application.sinks) {
    Result<std::unique_ptr<applications::Sink>> opened = open_sink(sink, folder, clock);
    if (!opened) {
      Error error = std::move(opened).error();
      error.message = fmt::format("{}: {}", sink.place, error.message);
      return error;
    }
    all.push_back({.name = sink.name, .sink = *std::move(opened)});
  }
  return Result<std::vector<applications::NamedSink>>(std::move(all));
}

}  // namespace bascule::app

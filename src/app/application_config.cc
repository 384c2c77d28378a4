#include "app/application_config.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "app/model_settings.h"
#include "app/options.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

std::vector<applications::Place> places(const std::vector<config::ApplicationYaml::Place>& from) {
  std::vector<applications::Place> out;
  for (const auto& [x, y] : from) out.push_back({.x = x, .y = y});
  return out;
}

}  // namespace

fs::path ApplicationFile::model_of(const config::ApplicationYaml& application) const {
  fs::path beside = file.parent_path() / application.model;
  std::error_code code;
  if (fs::exists(beside, code)) return beside;
  for (const config::ModelEntry& entry : models) {
    const std::string name = entry.name.empty() ? fs::path(entry.path).stem().string() : entry.name;
    if (name == application.model) return file.parent_path() / entry.path;
  }
  return application.model;
}

Result<ApplicationFile> read_application_file(const fs::path& file) {
  BASCULE_ASSIGN(std::optional<ApplicationFile> out, applications_of(file));
  if (out) return *std::move(out);
  return invalid_argument(
      fmt::format("{}: it has no applications; they stand in a list 'applications:'.", file.string()));
}

Result<std::optional<ApplicationFile>> applications_of(const fs::path& file) {
  BASCULE_ASSIGN(const std::string yaml, read_yaml(file));
  ApplicationFile out{.file = file};
  BASCULE_ASSIGN(out.applications, config::read_applications(yaml, file.string()));
  config::Values others;
  BASCULE_ASSIGN(out.models, config::apply_yaml(tables(), yaml, file.string(), others));
  return out.applications.empty() ? std::nullopt : std::optional(std::move(out));
}

applications::JudgeOptions judge_options(const config::ApplicationYaml& application) {
  applications::JudgeOptions out{
      .app = application.name,
      .region = {.name = "region", .corners = places(application.region)},
      .confidence = {.fallback = application.confidence, .of_class = application.confidences},
      .track = application.track.on,
      .weak_confidence = application.track.weak_confidence,
      .tracker = {.lost_frames = application.track.lost_frames, .per_class = application.track.per_class},
      .window = application.window};
  for (const auto& zone : application.zones)
    out.zones.push_back({.name = zone.name, .corners = places(zone.points)});
  for (const auto& line : application.lines) {
    const auto ends = places(line.points);
    out.lines.push_back({.name = line.name, .from = ends.front(), .to = ends.back()});
  }
  for (const auto& rule : application.rules) {
    out.rules.push_back({.name = rule.name,
                         .when = rule.when,
                         .place = rule.place,
                         .policy = {.needed = rule.needed, .of = rule.of, .cooldown_ms = rule.cooldown_ms},
                         .severity = rule.severity,
                         .sinks = rule.sinks});
  }
  return out;
}

applications::LookOptions look_options(const config::ApplicationYaml& application, double confidence,
                                       std::uint64_t max_pixels) {
  applications::LookOptions out{.predict = {.confidence = confidence, .iou = application.iou},
                                .max_pixels = max_pixels};
  if (application.tiles) {
    out.tiles =
        tasks::vision::TileOptions{.size = application.tiles->size, .overlap = application.tiles->overlap};
  }
  return out;
}

content::ClassNames names_of(const config::ApplicationYaml& application) {
  content::ClassNames out;
  for (std::size_t i = 0; i < application.names.size(); ++i) out[static_cast<int>(i)] = application.names[i];
  return out;
}

}  // namespace bascule::app

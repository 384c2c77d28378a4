#include "applications/scene.h"

#include "applications/app_state.h"
#include "base/text.h"
#include "protocol/json.h"
#include "protocol/results.h"

namespace bascule::applications {
namespace {

constexpr int kDecimals = 5;  // of the predict call, where its caller does not say

void append_text(std::string& out, std::string_view key, std::string_view value) {
  out += key;
  text::append_json_quoted(out, value);
}

void append_id(std::string& out, std::uint64_t track_id) {
  out += R"(,"track_id":)";
  if (track_id == 0) {
    out += "null";
  } else {
    out += '"' + std::to_string(track_id) + '"';
  }
}

void append_more(std::string& out, const SceneObject& object) {
  append_id(out, object.track_id);
  out += R"(,"zone":)";
  if (object.zones.empty()) {
    out += "null";
  } else {
    text::append_json_quoted(out, object.zones.front());
  }
  out += R"(,"zones":[)";
  for (const std::string& zone : object.zones) {
    if (out.back() != '[') out += ',';
    text::append_json_quoted(out, zone);
  }
  out += R"(],"area_fraction":)";
  protocol::append_rounded(out, object.area_fraction, kDecimals);
}

}  // namespace

void append_scene(std::string& out, const Scene& scene) {
  append_text(out, R"("app":)", scene.app);
  append_text(out, R"(,"source":)", scene.source);
  out += R"(,"frame":)";
  protocol::append_number(out, scene.frame);
  out += R"(,"time":)";
  protocol::append_rounded(out, static_cast<double>(scene.time_ms) / 1000, 3);
  out += R"(,"width":)";
  protocol::append_number(out, std::int64_t{scene.found.picture.width});
  out += R"(,"height":)";
  protocol::append_number(out, std::int64_t{scene.found.picture.height});
  out += R"(,"results":[)";
  protocol::append_results(
      out, scene.found, scene.names, {.decimals = kDecimals},
      [&scene](std::string& more, std::size_t row) { append_more(more, scene.objects[row]); });
  out += R"(],"crossings":[)";
  for (const Crossing& crossing : scene.crossings) {
    append_text(out, out.back() == '[' ? R"({"line":)" : R"(,{"line":)", crossing.line);
    append_text(out, R"(,"direction":)", crossing.direction);
    append_text(out, R"(,"name":)", crossing.name);
    append_id(out, crossing.track_id);
    out += '}';
  }
  out += ']';
}

std::string scene_json(const Scene& scene, const AppState& state) {
  std::string out = "{";
  append_scene(out, scene);
  out += R"(,"app_state":)";
  state.append_json(out);
  out += '}';
  return out;
}

}  // namespace bascule::applications

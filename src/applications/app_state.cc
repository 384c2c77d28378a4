#include "applications/app_state.h"

#include "applications/packing.h"
#include "applications/scene.h"
#include "base/text.h"
#include "protocol/json.h"

namespace bascule::applications {
namespace {

// `"key":` behind whatever came before it.
void append_key(std::string& out, std::string_view key) {
  if (out.back() != '{') out += ',';
  text::append_json_quoted(out, key);
  out += ':';
}

void append_object(std::string& out, const AppState::Counts& counts) {
  out += '{';
  for (const auto& [name, count] : counts) {
    append_key(out, name);
    protocol::append_number(out, count);
  }
  out += '}';
}

void pack_counts(Packer& out, const AppState::Counts& counts) {
  out.number(counts.size());
  for (const auto& [name, count] : counts) {
    out.text(name);
    out.number(count);
  }
}

AppState::Counts unpack_counts(Unpacker& in) {
  AppState::Counts out;
  const std::size_t count = in.count();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const std::string name = in.text();
    out[name] = in.number<std::uint64_t>();
  }
  return out;
}

}  // namespace

void AppState::take(const Scene& scene, const Counts& new_tracks) {
  ++frames_;
  for (const auto& [name, count] : new_tracks) objects_[name] += count;
  for (const Crossing& crossing : scene.crossings) ++lines_[crossing.line][crossing.direction][crossing.name];
  Glance& glance = window_.emplace_back(
      Glance{.frame = scene.frame, .time_ms = scene.time_ms, .crossings = scene.crossings.size()});
  for (const SceneObject& object : scene.objects) ++glance.objects[object.name];
  while (window_.size() > most_) window_.pop_front();
}

void AppState::pack(Packer& out) const {
  out.number(frames_);
  pack_counts(out, objects_);
  out.number(lines_.size());
  for (const auto& [line, directions] : lines_) {
    out.text(line);
    out.number(directions.size());
    for (const auto& [direction, counts] : directions) {
      out.text(direction);
      pack_counts(out, counts);
    }
  }
  out.number(window_.size());
  for (const Glance& glance : window_) {
    out.number(glance.frame);
    out.number(glance.time_ms);
    pack_counts(out, glance.objects);
    out.number(glance.crossings);
  }
}

void AppState::unpack(Unpacker& in) {
  frames_ = in.number<std::uint64_t>();
  objects_ = unpack_counts(in);
  lines_.clear();
  const std::size_t lines = in.count();
  for (std::size_t i = 0; i < lines && !in.failed(); ++i) {
    auto& directions = lines_[in.text()];
    const std::size_t count = in.count();
    for (std::size_t j = 0; j < count && !in.failed(); ++j) {
      const std::string direction = in.text();
      directions[direction] = unpack_counts(in);
    }
  }
  window_.clear();
  const std::size_t glances = in.count();
  for (std::size_t i = 0; i < glances && !in.failed(); ++i) {
    Glance& glance = window_.emplace_back();
    glance.frame = in.number<std::uint64_t>();
    glance.time_ms = in.number<std::int64_t>();
    glance.objects = unpack_counts(in);
    glance.crossings = in.number<std::uint64_t>();
  }
}

void AppState::append_counts(std::string& out) const {
  out += R"({"frames":)";
  protocol::append_number(out, frames_);
  out += R"(,"objects":)";
  append_object(out, objects_);
  out += R"(,"lines":{)";
  for (const auto& [line, directions] : lines_) {
    append_key(out, line);
    out += '{';
    for (const auto& [direction, counts] : directions) {
      append_key(out, direction);
      append_object(out, counts);
    }
    out += '}';
  }
  out += "}}";
}

void AppState::append_json(std::string& out) const {
  out += R"({"counts":)";
  append_counts(out);
  out += R"(,"window":[)";
  for (const Glance& glance : window_) {
    if (out.back() != '[') out += ',';
    out += R"({"frame":)";
    protocol::append_number(out, glance.frame);
    out += R"(,"time":)";
    protocol::append_rounded(out, static_cast<double>(glance.time_ms) / 1000, 3);
    out += R"(,"objects":)";
    append_object(out, glance.objects);
    out += R"(,"crossings":)";
    protocol::append_number(out, glance.crossings);
    out += '}';
  }
  out += "]}";
}

}  // namespace bascule::applications

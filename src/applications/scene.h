#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "content/prediction.h"

namespace bascule::applications {

class AppState;

// What is known of an object beyond its box.
// Thread-safety: a value.
struct SceneObject {
  std::string name;                // of its class
  std::uint64_t track_id = 0;      // 0: not tracked, or seen once so far
  std::vector<std::string> zones;  // that its centre is in, in the order of the configuration
  double area_fraction = 0;        // of the frame
};

// A tracked object has crossed a line.
// Thread-safety: a value.
struct Crossing {
  std::string line;
  std::string direction;  // "right", "left", "down", "up"
  std::string name;       // of the object's class
  std::uint64_t track_id = 0;
};

// What one frame shows.
// Thread-safety: a value.
struct Scene {
  std::string app;
  std::string source;
  std::uint64_t frame = 0;           // its number
  std::int64_t time_ms = 0;          // Unix
  content::Detections found;         // what counts: in the region, sure enough; best first
  content::ClassNames names;         // of the classes that are there
  std::vector<SceneObject> objects;  // one for each row of `found`
  std::vector<Crossing> crossings;
};

// Appends the members of a scene's JSON, without braces: app, source, frame, time (seconds since 1970),
// width, height, results and crossings. An item of results is what the predict call returns for a picture, in
// its order and rounding, and after that track_id, zone, zones and area_fraction. Track ids are texts.
void append_scene(std::string& out, const Scene& scene);

// The object that rules see: the scene, and what the application has counted.
[[nodiscard]] std::string scene_json(const Scene& scene, const AppState& state);

}  // namespace bascule::applications

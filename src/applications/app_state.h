#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace bascule::applications {

class Packer;
class Unpacker;
struct Scene;

// What an application has counted, and its last frames: `app_state` in what rules see.
// Thread-safety: external (one thread).
class AppState {
 public:
  using Counts = std::map<std::string, std::uint64_t>;  // by class

  // One frame of the window.
  struct Glance {
    std::uint64_t frame = 0;
    std::int64_t time_ms = 0;
    Counts objects;
    std::uint64_t crossings = 0;
  };

  // `window`: how many frames are remembered, the present one among them.
  explicit AppState(std::size_t window) : most_(window) {}

  // Counts a frame, once what it shows is known. `new_tracks`: objects, by class, that are seen for the first
  // time; without tracking, every object of the frame.
  void take(const Scene& scene, const Counts& new_tracks);

  [[nodiscard]] const Counts& objects() const { return objects_; }
  // By line and direction.
  [[nodiscard]] const std::map<std::string, std::map<std::string, Counts>>& lines() const { return lines_; }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  [[nodiscard]] const std::deque<Glance>& window() const { return window_; }

  // Appends {"counts":{"frames":…,"objects":{…},"lines":{…}},"window":[…]}, the oldest frame first.
  void append_json(std::string& out) const;
  // What it knows, as bytes and back.
  void pack(Packer& out) const;
  void unpack(Unpacker& in);

  // What stands in "counts" alone.
  void append_counts(std::string& out) const;

 private:
  std::size_t most_;
  std::uint64_t frames_ = 0;
  Counts objects_;
  std::map<std::string, std::map<std::string, Counts>> lines_;
  std::deque<Glance> window_;
};

}  // namespace bascule::applications

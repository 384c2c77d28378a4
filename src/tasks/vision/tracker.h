#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "content/prediction.h"

namespace bascule::tasks::vision {

// Thread-safety: a value.
struct TrackerOptions {
  std::uint64_t lost_frames = 30;  // what was not seen for more frames than this does not come back
  double match_iou = 0.2;          // least overlap of a sure box with where an object is expected
  double weak_iou = 0.5;           // of a weak box
  double new_iou = 0.3;            // of a sure box with an object that was seen once
  bool per_class = true;           // an object keeps its class
};

// A box of a frame, in its pixels. `sure`: it may begin a track, not only go on with one.
struct Seen {
  int class_id = 0;
  content::Box box;
  bool sure = true;
};

// Which object a box shows.
struct TrackOf {
  std::uint64_t id = 0;    // from 1, never used again; 0: none
  bool confirmed = false;  // it was seen before, or the tracker's first frame has it
};

// A number that moves evenly, how sure that is, and noise; one of the four that a box is followed by. The
// paper's filter has all eight in one; its noise is independent for each of the four, so that they never mix.
struct EvenMotion {
  double at = 0;
  double speed = 0;  // per frame
  double var_at = 0, covar = 0, var_speed = 0;

  void predict(double noise_at, double noise_speed);
  void correct(double measured, double noise);
};

enum class TrackPhase : std::uint8_t { kNew, kTracked, kLost };

// An object that is followed.
// Thread-safety: a value.
struct Track {
  std::uint64_t id = 0;
  int class_id = 0;
  TrackPhase phase = TrackPhase::kNew;
  EvenMotion x, y, aspect, height;  // of the centre; width by height; in pixels
  content::Box seen;                // where it was seen last
  std::uint64_t frame = 0;          // the number of the frame that it was seen in last
  std::uint64_t sightings = 0;
  bool speed_given = false;  // its first speed is its neighbours'
};

// What a tracker knows between two frames; enough to go on with in another process.
// Thread-safety: a value.
struct TrackerState {
  std::uint64_t last_id = 0;
  std::uint64_t last_frame = 0;     // 0: none yet
  double moved_x = 0, moved_y = 0;  // how far all was from where it was expected, last time
  std::vector<Track> tracks;        // by id
};

// Follows objects from frame to frame: ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by
// Associating Every Detection Box", ECCV 2022), with the noise of its published code. Sure boxes are matched
// first, then weak ones with what is left, by overlap with where each object is expected. Added for belts on
// which things move by more than their width from frame to frame, and for dropped frames:
// - an object that was seen twice has the speed of those two places at once; one that was seen once, the
//   speed of its nearest five neighbours (the median);
// - where boxes of at least two objects, and four in ten, are all displaced alike from where they are
//   expected, that displacement is believed (a belt that starts, a camera that is turned); where it is about
//   the same twice running, their speeds are taken anew;
// - an object that was seen once or twice, and a box of like size within `kReach` diagonals that both found
//   no one else, are the same; within `kKnownReach` of where it is expected, where it goes with most of its
//   neighbours: on a full belt there is a next one so near, when one is hidden.
// On rows of equal things at equal distances that move by about that distance, nobody can tell which is
// which; the smallest movement is taken then.
// Thread-safety: external (one thread).
class Tracker {
 public:
  static constexpr std::size_t kMaxBoxes = 300;   // of a frame; the sure ones first
  static constexpr std::size_t kMaxTracks = 600;  // the longest lost go first
  static constexpr double kReach = 2.5;
  static constexpr double kKnownReach = 1;

  explicit Tracker(TrackerOptions options) : options_(options) {}

  // The object of each box, in the order of the boxes, which does not matter to the result. `frame` counts
  // on; numbers left out are frames that were dropped. A number that does not count on begins anew.
  std::vector<TrackOf> update(std::uint64_t frame, content::PictureSize picture, std::span<const Seen> boxes);

  [[nodiscard]] const TrackerState& state() const { return state_; }
  void restore(TrackerState state) { state_ = std::move(state); }

 private:
  TrackerOptions options_;
  TrackerState state_;
};

}  // namespace bascule::tasks::vision

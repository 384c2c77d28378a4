#include "tasks/vision/tracker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include "tasks/vision/assignment.h"

namespace bascule::tasks::vision {
namespace {

// Noise of the published code, in parts of the box's height; that of the aspect is absolute.
constexpr double kNoiseAt = 1.0 / 20;
constexpr double kNoiseSpeed = 1.0 / 160;
constexpr double kAspectAt = 1e-2;
constexpr double kAspectSpeed = 1e-5;
constexpr double kAspectMeasured = 1e-1;
// Two tracks that overlap so much are one.
constexpr double kSameIou = 0.85;
// Sides that differ by no more than these are of one thing: for a displacement, for a box far away.
constexpr double kLikeSides = 1.25;
constexpr double kRoughlyLikeSides = 2;
constexpr double kNear = 0.2;    // of a side: where a displaced box is taken to be in its place
constexpr double kSteady = 0.3;  // two displacements that differ by less than this part are alike
constexpr double kShape = 4;     // diagonals that a side which is e times as long counts for
// So many tracks say by how much all moved, and so many boxes are looked at for that: it takes the square of
// both.
constexpr std::size_t kMaxVoters = 12;
constexpr std::size_t kMaxVotedFor = 100;
constexpr std::size_t kNeighbours = 5;  // an odd one out among them decides nothing
constexpr float kBorder = 2;  // pixels: a box that ends nearer to the picture's side may be cut by it

struct Vector {
  double x = 0, y = 0;
};

double width_of(const content::Box& box) { return double{box.x2} - box.x1; }
double height_of(const content::Box& box) { return double{box.y2} - box.y1; }
Vector centre_of(const content::Box& box) {
  return {.x = (double{box.x1} + box.x2) / 2, .y = (double{box.y1} + box.y2) / 2};
}

bool usable(const content::Box& box) {
  return std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) && std::isfinite(box.y2) &&
         box.x2 > box.x1 && box.y2 > box.y1;
}

double iou(const content::Box& a, const content::Box& b) {
  const double width = double{std::min(a.x2, b.x2)} - std::max(a.x1, b.x1);
  const double height = double{std::min(a.y2, b.y2)} - std::max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / (width_of(a) * height_of(a) + width_of(b) * height_of(b) - both);
}

// Which sides of a box may be the picture's, not the object's own. Where an object comes in or goes out, its
// box grows or shrinks there, and its centre says little.
struct Cut {
  bool left = false, right = false, top = false, bottom = false;

  Cut(const content::Box& box, content::PictureSize picture)
      : left(box.x1 < kBorder),
        right(box.x2 > static_cast<float>(picture.width) - kBorder),
        top(box.y1 < kBorder),
        bottom(box.y2 > static_cast<float>(picture.height) - kBorder) {}
  Cut(const content::Box& a, const content::Box& b, content::PictureSize picture) : Cut(a, picture) {
    const Cut other(b, picture);
    left = left || other.left;
    right = right || other.right;
    top = top || other.top;
    bottom = bottom || other.bottom;
  }
};

bool like(double a, double b, double ratio) { return a <= b * ratio && b <= a * ratio; }
bool like(const content::Box& a, const content::Box& b, const Cut& cut, double ratio) {
  return (cut.left || cut.right || like(width_of(a), width_of(b), ratio)) &&
         (cut.top || cut.bottom || like(height_of(a), height_of(b), ratio));
}

// How much longer or shorter the sides are that are not cut, as logarithms.
double unlike(const content::Box& a, const content::Box& b, const Cut& cut) {
  const double across = cut.left || cut.right ? 0 : std::abs(std::log(width_of(a) / width_of(b)));
  const double down = cut.top || cut.bottom ? 0 : std::abs(std::log(height_of(a) / height_of(b)));
  return across + down;
}

// How far something went along one axis, by the sides that are its own.
double way(double low, double high, bool low_cut, bool high_cut) {
  if (low_cut == high_cut) return (low + high) / 2;
  return low_cut ? high : low;
}

Vector way(const content::Box& from, const content::Box& to, const Cut& cut) {
  return {.x = way(double{to.x1} - from.x1, double{to.x2} - from.x2, cut.left, cut.right),
          .y = way(double{to.y1} - from.y1, double{to.y2} - from.y2, cut.top, cut.bottom)};
}

// A side of `least` at least, longer only where it is cut.
void extend(float& low, float& high, bool low_cut, bool high_cut, double least) {
  if (low_cut == high_cut || double{high} - low >= least) return;
  if (low_cut) {
    low = static_cast<float>(high - least);
  } else {
    high = static_cast<float>(low + least);
  }
}

// Where a track is expected.
content::Box whole(const Track& track) {
  const double half_height = std::max(track.height.at, 1.0) / 2;
  const double half_width = std::max(track.aspect.at * track.height.at, 1.0) / 2;
  return {.x1 = static_cast<float>(track.x.at - half_width),
          .y1 = static_cast<float>(track.y.at - half_height),
          .x2 = static_cast<float>(track.x.at + half_width),
          .y2 = static_cast<float>(track.y.at + half_height)};
}

// The same as far as it is on the picture: what is seen there is cut as well.
content::Box expected(const Track& track, content::PictureSize picture) {
  content::Box box = whole(track);
  const auto width = static_cast<float>(picture.width);
  const auto height = static_cast<float>(picture.height);
  for (float* x : {&box.x1, &box.x2}) *x = std::clamp(*x, 0.0F, width);
  for (float* y : {&box.y1, &box.y2}) *y = std::clamp(*y, 0.0F, height);
  return box;
}

void predict(Track& track) {
  const double height = std::max(track.height.at, 1.0);
  if (track.phase != TrackPhase::kTracked) track.height.speed = 0;
  track.x.predict(kNoiseAt * height, kNoiseSpeed * height);
  track.y.predict(kNoiseAt * height, kNoiseSpeed * height);
  track.aspect.predict(kAspectAt, kAspectSpeed);
  track.height.predict(kNoiseAt * height, kNoiseSpeed * height);
}

EvenMotion begun(double at, double noise_at, double noise_speed) {
  return {.at = at, .var_at = 4 * noise_at * noise_at, .var_speed = 100 * noise_speed * noise_speed};
}

Track begin(const Seen& seen, std::uint64_t id, std::uint64_t frame) {
  const double height = height_of(seen.box);
  const Vector centre = centre_of(seen.box);
  return {.id = id,
          .class_id = seen.class_id,
          .x = begun(centre.x, kNoiseAt * height, kNoiseSpeed * height),
          .y = begun(centre.y, kNoiseAt * height, kNoiseSpeed * height),
          .aspect = begun(width_of(seen.box) / height, kAspectAt / 2, kAspectSpeed),
          .height = begun(height, kNoiseAt * height, kNoiseSpeed * height),
          .seen = seen.box,
          .frame = frame,
          .sightings = 1};
}

// From two places and the frames between them: what they say of the speed, and how surely.
void take_speed(EvenMotion& motion, double at, double moved, double frames, double noise) {
  motion = {.at = at,
            .speed = moved / frames,
            .var_at = noise * noise,
            .covar = noise * noise / frames,
            .var_speed = 2 * noise * noise / (frames * frames)};
}

// `anew`: what was known of its speed is wrong.
void correct(Track& track, const content::Box& seen, std::uint64_t frame, content::PictureSize picture,
             bool anew) {
  const content::Box predicted = whole(track);
  const Cut cut(track.seen, seen, picture);
  content::Box box = seen;
  extend(box.x1, box.x2, cut.left, cut.right, width_of(predicted));
  extend(box.y1, box.y2, cut.top, cut.bottom, height_of(predicted));
  const Vector centre = centre_of(box);
  const double height = height_of(box);
  const double noise = kNoiseAt * std::max(track.height.at, 1.0);
  if (anew || (track.sightings == 1 && !track.speed_given)) {
    const auto frames = static_cast<double>(frame - track.frame);
    const Vector moved = way(track.seen, seen, cut);
    take_speed(track.x, centre.x, moved.x, frames, noise);
    take_speed(track.y, centre.y, moved.y, frames, noise);
  } else {
    const Vector apart = way(predicted, seen, cut);
    track.x.correct(track.x.at + apart.x, noise);
    track.y.correct(track.y.at + apart.y, noise);
    // What more is seen of it now moves its centre, and is no movement.
    const Vector old = centre_of(predicted);
    track.x.at += centre.x - old.x - apart.x;
    track.y.at += centre.y - old.y - apart.y;
  }
  const bool grown_across = (cut.left || cut.right) && width_of(box) > width_of(predicted);
  const bool grown_down = (cut.top || cut.bottom) && height > height_of(predicted);
  if (grown_across || grown_down) {
    track.aspect = begun(width_of(box) / height, kAspectAt / 2, kAspectSpeed);
    track.height = begun(height, kNoiseAt * height, kNoiseSpeed * height);
  } else {
    track.aspect.correct(width_of(box) / height, kAspectMeasured);
    track.height.correct(height, noise);
  }
  track.phase = TrackPhase::kTracked;
  track.seen = seen;
  track.frame = frame;
  ++track.sightings;
}

// The one in the middle. Not empty.
double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// One frame's work on a tracker's state.
class Step {
 public:
  Step(const TrackerOptions& options, TrackerState& state, content::PictureSize picture,
       std::span<const Seen> boxes)
      : options_(options), state_(state), picture_(picture), boxes_(boxes), track_of_(boxes.size(), kNone) {}

  std::vector<TrackOf> run(std::uint64_t frame);

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  using Indexes = std::vector<std::size_t>;
  using Cost = std::function<double(const Track&, const Seen&)>;

  void forget_and_predict();
  void order();
  void displace();
  [[nodiscard]] Vector common_displacement(const Indexes& voters, const Indexes& rows) const;
  [[nodiscard]] std::vector<Vector> supports(Vector moved, const Indexes& voters, const Indexes& rows) const;
  [[nodiscard]] bool fit(const Track& track, const Seen& seen) const {
    return !options_.per_class || track.class_id == seen.class_id;
  }
  // Pairs free tracks of a kind with free rows of a kind, and goes on with those tracks.
  void match(const std::function<bool(const Track&)>& tracks, bool sure, double limit, const Cost& cost);
  void match_by_overlap(const std::function<bool(const Track&)>& tracks, bool sure, double least);
  void match_far();
  [[nodiscard]] std::vector<const Track*> neighbours(const Track& track, std::uint64_t sightings) const;
  [[nodiscard]] bool goes_with_neighbours(const Track& track) const;
  void begin_tracks();
  void let_go();
  [[nodiscard]] bool was_seen_now(const Track& track) const { return track.frame == frame_; }
  [[nodiscard]] bool was_seen_before(const Track& track) const { return track.frame == state_.last_frame; }

  const TrackerOptions& options_;
  TrackerState& state_;
  const content::PictureSize picture_;
  const std::span<const Seen> boxes_;
  std::uint64_t frame_ = 0;
  Indexes order_;  // of the boxes that count, the sure ones first; the same however they came
  Indexes track_of_;
  bool speeds_anew_ = false;
  std::vector<content::Box> expected_;  // of each track
};

std::vector<TrackOf> Step::run(std::uint64_t frame) {
  frame_ = frame;
  const bool first = state_.last_frame == 0;
  forget_and_predict();
  order();
  displace();
  expected_.clear();
  for (const Track& track : state_.tracks) expected_.push_back(expected(track, picture_));
  match_by_overlap([](const Track& track) { return track.phase != TrackPhase::kNew; }, true,
                   options_.match_iou);
  match_by_overlap([](const Track& track) { return track.phase == TrackPhase::kTracked; }, false,
                   options_.weak_iou);
  match_by_overlap([](const Track& track) { return track.phase == TrackPhase::kNew; }, true,
                   options_.new_iou);
  match_far();
  begin_tracks();
  std::vector<TrackOf> out(boxes_.size());
  for (std::size_t row = 0; row < boxes_.size(); ++row) {
    if (track_of_[row] == kNone) continue;
    Track& track = state_.tracks[track_of_[row]];
    if (first) track.phase = TrackPhase::kTracked;
    out[row] = {.id = track.id, .confirmed = track.phase == TrackPhase::kTracked};
  }
  let_go();
  state_.last_frame = frame;
  return out;
}

void Step::forget_and_predict() {
  if (state_.last_frame == 0) return;
  const bool counts_on = frame_ > state_.last_frame;
  const std::uint64_t gap = counts_on ? frame_ - state_.last_frame : 0;
  if (!counts_on || gap > options_.lost_frames + 1) {
    state_.tracks.clear();
    return;
  }
  for (std::uint64_t step = 0; step < gap; ++step) std::ranges::for_each(state_.tracks, predict);
}

void Step::order() {
  for (std::size_t row = 0; row < boxes_.size(); ++row) {
    if (usable(boxes_[row].box)) order_.push_back(row);
  }
  const auto key = [this](std::size_t row) {
    const Seen& seen = boxes_[row];
    return std::tuple(!seen.sure, seen.box.x1, seen.box.y1, seen.box.x2, seen.box.y2, seen.class_id);
  };
  std::ranges::stable_sort(order_, {}, key);
  if (order_.size() > Tracker::kMaxBoxes) order_.resize(Tracker::kMaxBoxes);
}

// By how much each voter is away from a box of its kind that lies where the voter is expected, displaced by
// `moved`; nothing of those that have none.
std::vector<Vector> Step::supports(Vector moved, const Indexes& voters, const Indexes& rows) const {
  std::vector<Vector> out;
  for (const std::size_t voter : voters) {
    const Track& track = state_.tracks[voter];
    for (const std::size_t row : rows) {
      const Seen& seen = boxes_[row];
      const Cut cut(track.seen, seen.box, picture_);
      if (!fit(track, seen) || !like(track.seen, seen.box, cut, kLikeSides)) continue;
      const Vector apart = way(whole(track), seen.box, cut);
      if (std::abs(apart.x - moved.x) > kNear * width_of(seen.box) ||
          std::abs(apart.y - moved.y) > kNear * height_of(seen.box)) {
        continue;
      }
      out.push_back(apart);
      break;
    }
  }
  return out;
}

Vector Step::common_displacement(const Indexes& voters, const Indexes& rows) const {
  const std::size_t unmoved = supports({}, voters, rows).size();
  if (2 * unmoved >= voters.size()) return {};
  std::vector<Vector> best;
  double best_way = 0;
  for (const std::size_t voter : voters) {
    const Track& track = state_.tracks[voter];
    for (const std::size_t row : rows) {
      const Cut cut(track.seen, boxes_[row].box, picture_);
      if (!fit(track, boxes_[row]) || !like(track.seen, boxes_[row].box, cut, kLikeSides)) continue;
      const Vector moved = way(whole(track), boxes_[row].box, cut);
      std::vector<Vector> support = supports(moved, voters, rows);
      const double way_there = std::hypot(moved.x, moved.y);
      if (support.size() > best.size() || (support.size() == best.size() && way_there < best_way)) {
        best = std::move(support);
        best_way = way_there;
      }
    }
  }
  if (best.size() < 2 || best.size() <= unmoved || 5 * best.size() < 2 * voters.size()) return {};
  const auto count = static_cast<double>(best.size());
  Vector mean;
  for (const Vector& one : best) {
    mean.x += one.x / count;
    mean.y += one.y / count;
  }
  return mean;
}

void Step::displace() {
  Indexes voters;
  for (std::size_t i = 0; i < state_.tracks.size(); ++i) {
    const Track& track = state_.tracks[i];
    const bool on_picture =
        track.x.at > 0 && track.y.at > 0 && track.x.at < picture_.width && track.y.at < picture_.height;
    if (was_seen_before(track) && on_picture) voters.push_back(i);
  }
  const std::size_t eligible = voters.size();
  if (eligible > kMaxVoters) {  // old ones and young ones
    for (std::size_t i = 0; i < kMaxVoters; ++i) voters[i] = voters[i * eligible / kMaxVoters];
    voters.resize(kMaxVoters);
  }
  Indexes rows;
  std::ranges::copy_if(order_, std::back_inserter(rows),
                       [this](std::size_t row) { return boxes_[row].sure; });
  if (rows.size() > kMaxVotedFor) rows.resize(kMaxVotedFor);
  Vector moved;
  if (voters.size() >= 2 && rows.size() >= 2) moved = common_displacement(voters, rows);
  const double size = std::hypot(moved.x, moved.y);
  speeds_anew_ = size > 0 && std::hypot(moved.x - state_.moved_x, moved.y - state_.moved_y) < kSteady * size;
  state_.moved_x = speeds_anew_ ? 0 : moved.x;
  state_.moved_y = speeds_anew_ ? 0 : moved.y;
  for (Track& track : state_.tracks) {
    track.x.at += moved.x;
    track.y.at += moved.y;
  }
}

void Step::match(const std::function<bool(const Track&)>& tracks, bool sure, double limit, const Cost& cost) {
  Indexes free_tracks;
  for (std::size_t i = 0; i < state_.tracks.size(); ++i) {
    if (!was_seen_now(state_.tracks[i]) && tracks(state_.tracks[i])) free_tracks.push_back(i);
  }
  Indexes free_rows;
  std::ranges::copy_if(order_, std::back_inserter(free_rows),
                       [&](std::size_t row) { return boxes_[row].sure == sure && track_of_[row] == kNone; });
  std::vector<double> costs;
  costs.reserve(free_tracks.size() * free_rows.size());
  for (const std::size_t track : free_tracks) {
    for (const std::size_t row : free_rows) {
      costs.push_back(fit(state_.tracks[track], boxes_[row]) ? cost(state_.tracks[track], boxes_[row])
                                                             : limit);
    }
  }
  const std::vector<int> columns = assign(costs, free_tracks.size(), free_rows.size(), limit);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] < 0) continue;
    const std::size_t row = free_rows[static_cast<std::size_t>(columns[i])];
    track_of_[row] = free_tracks[i];
    correct(state_.tracks[free_tracks[i]], boxes_[row].box, frame_, picture_, speeds_anew_);
  }
}

void Step::match_by_overlap(const std::function<bool(const Track&)>& tracks, bool sure, double least) {
  match(tracks, sure, 1 - least, [this](const Track& track, const Seen& seen) {
    return 1 - iou(expected_[static_cast<std::size_t>(&track - state_.tracks.data())], seen.box);
  });
}

// The nearest of those that were seen now, and so often.
std::vector<const Track*> Step::neighbours(const Track& track, std::uint64_t sightings) const {
  std::vector<std::pair<double, const Track*>> all;
  for (const Track& other : state_.tracks) {
    if (&other == &track || !was_seen_now(other) || other.sightings < sightings) continue;
    all.emplace_back(std::hypot(other.x.at - track.x.at, other.y.at - track.y.at), &other);
  }
  const std::size_t count = std::min(all.size(), kNeighbours);
  std::ranges::partial_sort(all, all.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<const Track*> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(all[i].second);
  return out;
}

// Whether most of those around it move as it is thought to.
bool Step::goes_with_neighbours(const Track& track) const {
  const std::vector<const Track*> others = neighbours(track, 3);
  const content::Box box = whole(track);
  const auto alike = std::ranges::count_if(others, [&](const Track* other) {
    return std::abs(other->x.speed - track.x.speed) <= kNear * width_of(box) &&
           std::abs(other->y.speed - track.y.speed) <= kNear * height_of(box);
  });
  return others.size() >= 2 && 2 * static_cast<std::size_t>(alike) > others.size();
}

// What was seen once or twice, in the frame before, may be anywhere near: its speed is hardly known. But
// where it goes with the others it is near to where it is expected, or hidden: what is farther away is
// another.
void Step::match_far() {
  std::vector<bool> known(state_.tracks.size(), false);
  const auto young = [this](const Track& track) { return track.sightings <= 2 && was_seen_before(track); };
  for (std::size_t i = 0; i < state_.tracks.size(); ++i) {
    const Track& track = state_.tracks[i];
    known[i] = young(track) && goes_with_neighbours(track);
  }
  match(young, true, Tracker::kReach, [&](const Track& track, const Seen& seen) {
    const Cut cut(track.seen, seen.box, picture_);
    if (!like(track.seen, seen.box, cut, kRoughlyLikeSides)) return Tracker::kReach;
    const Vector moved = way(track.seen, seen.box, cut);
    const Vector apart = way(whole(track), seen.box, cut);
    double distance = std::hypot(apart.x, apart.y);
    if (known[static_cast<std::size_t>(&track - state_.tracks.data())]) {
      distance *= Tracker::kReach / Tracker::kKnownReach;
    } else {
      distance = std::min(distance, std::hypot(moved.x, moved.y));
    }
    return distance / std::hypot(width_of(seen.box), height_of(seen.box)) +
           kShape * unlike(track.seen, seen.box, cut);
  });
}

void Step::begin_tracks() {
  for (const std::size_t row : order_) {
    if (track_of_[row] != kNone || !boxes_[row].sure) continue;
    Track track = begin(boxes_[row], ++state_.last_id, frame_);
    // Of one neighbour alone a wrong speed would go from track to track.
    std::vector<double> across, down;
    for (const Track* other : neighbours(track, 2)) {
      across.push_back(other->x.speed);
      down.push_back(other->y.speed);
    }
    track.speed_given = !across.empty();
    if (track.speed_given) {
      track.x.speed = median(std::move(across));
      track.y.speed = median(std::move(down));
    }
    track_of_[row] = state_.tracks.size();
    state_.tracks.push_back(track);
  }
}

void Step::let_go() {
  std::vector<Track>& tracks = state_.tracks;
  for (Track& track : tracks) {
    if (!was_seen_now(track) && track.phase == TrackPhase::kTracked) track.phase = TrackPhase::kLost;
  }
  // A lost one where another is followed would only take that one's boxes later.
  std::vector<bool> double_of(tracks.size(), false);
  for (std::size_t a = 0; a < tracks.size(); ++a) {
    for (std::size_t b = 0; b < tracks.size(); ++b) {
      if (tracks[a].phase != TrackPhase::kLost || tracks[b].phase != TrackPhase::kTracked) continue;
      if (options_.per_class && tracks[a].class_id != tracks[b].class_id) continue;
      if (iou(expected(tracks[a], picture_), expected(tracks[b], picture_)) > kSameIou) double_of[a] = true;
    }
  }
  std::vector<Track> kept;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const bool too_long = frame_ - tracks[i].frame > options_.lost_frames;
    const bool seen_once = tracks[i].phase == TrackPhase::kNew && !was_seen_now(tracks[i]);
    if (!too_long && !seen_once && !double_of[i]) kept.push_back(tracks[i]);
  }
  if (kept.size() > Tracker::kMaxTracks) {
    std::ranges::stable_sort(kept, std::ranges::greater(), &Track::frame);
    kept.resize(Tracker::kMaxTracks);
    std::ranges::sort(kept, {}, &Track::id);
  }
  tracks = std::move(kept);
}

}  // namespace

void EvenMotion::predict(double noise_at, double noise_speed) {
  at += speed;
  var_at += 2 * covar + var_speed + noise_at * noise_at;
  covar += var_speed;
  var_speed += noise_speed * noise_speed;
}

void EvenMotion::correct(double measured, double noise) {
  const double spread = var_at + noise * noise;
  const double gain_at = var_at / spread;
  const double gain_speed = covar / spread;
  const double apart = measured - at;
  at += gain_at * apart;
  speed += gain_speed * apart;
  var_speed -= gain_speed * covar;
  covar -= gain_at * covar;
  var_at -= gain_at * var_at;
}

std::vector<TrackOf> Tracker::update(std::uint64_t frame, content::PictureSize picture,
                                     std::span<const Seen> boxes) {
  return Step(options_, state_, picture, boxes).run(frame);
}

}  // namespace bascule::tasks::vision

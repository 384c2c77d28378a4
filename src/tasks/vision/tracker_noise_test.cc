#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <ostream>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tasks/vision/tracker.h"

// What the tracker does with a real model's boxes: they tremble, sink below the sure confidence, are missing
// for some frames, and now and then there is one where nothing is. Each test goes over many seeds.
namespace bascule::tasks::vision {
namespace {

constexpr content::PictureSize kPicture{.height = 720, .width = 1280};
constexpr int kNothing = -1;  // the label of a box where nothing is

// Something that moves evenly.
struct Thing {
  double x = 0, y = 0;  // its centre in frame 0
  double width = 60, height = 60;
  double speed_x = 0, speed_y = 0;  // pixels a frame
  int class_id = 0;
};

// How a model's boxes differ from the truth.
struct Noise {
  double jitter = 0;    // standard deviation of each side's place, in parts of the box's size
  double weak = 0;      // of the boxes: not sure
  double missed = 0;    // of the boxes: the first of a gap
  int longest_gap = 1;  // frames
  double spurious = 0;  // of the frames: with a sure box where nothing is
};

struct NoisyBox {
  int label = kNothing;
  Seen seen;
};

struct NoisyFrame {
  std::vector<NoisyBox> boxes;
  std::size_t in_sight = 0;  // things, seen or not
};

content::Box box_of(const Thing& thing, int frame) {
  const double x = thing.x + thing.speed_x * frame;
  const double y = thing.y + thing.speed_y * frame;
  return {.x1 = static_cast<float>(x - thing.width / 2),
          .y1 = static_cast<float>(y - thing.height / 2),
          .x2 = static_cast<float>(x + thing.width / 2),
          .y2 = static_cast<float>(y + thing.height / 2)};
}

// As much of it as is on the picture; whether that is three tenths of it or more.
bool clip(content::Box& box) {
  const float area = (box.x2 - box.x1) * (box.y2 - box.y1);
  for (float* x : {&box.x1, &box.x2}) *x = std::clamp(*x, 0.0F, static_cast<float>(kPicture.width));
  for (float* y : {&box.y1, &box.y2}) *y = std::clamp(*y, 0.0F, static_cast<float>(kPicture.height));
  return (box.x2 - box.x1) * (box.y2 - box.y1) >= 0.3F * area;
}

class Model {
 public:
  Model(std::vector<Thing> things, Noise noise, unsigned seed)
      : things_(std::move(things)), noise_(noise), random_(seed), hidden_until_(things_.size(), 0) {}

  NoisyFrame look(int frame) {
    NoisyFrame out;
    for (std::size_t i = 0; i < things_.size(); ++i) {
      content::Box box = box_of(things_[i], frame);
      if (!clip(box)) continue;
      ++out.in_sight;
      if (frame < hidden_until_[i]) continue;
      if (chance(noise_.missed)) {
        hidden_until_[i] =
            frame + 1 + static_cast<int>(random_() % static_cast<unsigned>(noise_.longest_gap));
        continue;
      }
      tremble(box);
      out.boxes.push_back(
          {.label = static_cast<int>(i),
           .seen = {.class_id = things_[i].class_id, .box = box, .sure = !chance(noise_.weak)}});
    }
    if (chance(noise_.spurious)) {
      std::uniform_real_distribution<double> x(40, kPicture.width - 40), y(40, kPicture.height - 40);
      out.boxes.push_back(
          {.label = kNothing, .seen = {.box = box_of({.x = x(random_), .y = y(random_)}, 0)}});
    }
    std::ranges::shuffle(out.boxes, random_);
    return out;
  }

 private:
  bool chance(double of) { return std::uniform_real_distribution<double>(0, 1)(random_) < of; }
  void tremble(content::Box& box) {
    if (noise_.jitter == 0) return;
    std::normal_distribution<float> across(0, static_cast<float>(noise_.jitter) * (box.x2 - box.x1));
    std::normal_distribution<float> down(0, static_cast<float>(noise_.jitter) * (box.y2 - box.y1));
    box = {.x1 = box.x1 + across(random_),
           .y1 = box.y1 + down(random_),
           .x2 = box.x2 + across(random_),
           .y2 = box.y2 + down(random_)};
  }

  const std::vector<Thing> things_;
  const Noise noise_;
  std::mt19937 random_;
  std::vector<int> hidden_until_;
};

// The counts of CLEAR MOT (Bernardin and Stiefelhagen, 2008), and what may not happen at all.
struct Score {
  std::size_t in_sight = 0;  // things, over all frames
  std::size_t boxes = 0;     // of them
  std::size_t missed = 0;    // things without a box of a track
  std::size_t wrong = 0;     // boxes where nothing is that confirmed tracks have
  std::size_t switches = 0;
  std::size_t shared = 0;  // ids that more than one thing had
  std::size_t things = 0;  // that had an id

  [[nodiscard]] double mota() const {
    return 1 - static_cast<double>(missed + wrong + switches) / static_cast<double>(in_sight);
  }
  Score& operator+=(const Score& more) {
    in_sight += more.in_sight;
    boxes += more.boxes;
    missed += more.missed;
    wrong += more.wrong;
    switches += more.switches;
    shared += more.shared;
    things += more.things;
    return *this;
  }
};

std::ostream& operator<<(std::ostream& out, const Score& score) {
  return out << "MOTA " << score.mota() << ", " << score.switches << " switches, " << score.shared
             << " shared ids, " << score.things << " things, " << score.in_sight << " sightings ("
             << score.missed << " missed, " << score.wrong << " wrong)";
}

Score follow(Model& model, int frames, Tracker& tracker) {
  Score score;
  std::map<int, std::uint64_t> id_of;
  std::map<std::uint64_t, std::set<int>> had;
  std::uint64_t last_id = 0;
  for (int frame = 0; frame < frames; ++frame) {
    const NoisyFrame seen = model.look(frame);
    std::vector<Seen> boxes;
    for (const NoisyBox& box : seen.boxes) boxes.push_back(box.seen);
    const auto tracks = tracker.update(static_cast<std::uint64_t>(frame) + 1, kPicture, boxes);
    std::set<std::uint64_t> of_frame;
    std::size_t followed = 0;
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      const auto [id, confirmed] = tracks[i];
      const int label = seen.boxes[i].label;
      score.boxes += label != kNothing ? 1 : 0;
      if (id == 0) continue;
      EXPECT_TRUE(of_frame.insert(id).second) << "two boxes of frame " << frame << " have the id " << id;
      // What has not been given yet may be given now, in order, and never again.
      EXPECT_TRUE(id > last_id || had.contains(id)) << "the id " << id << " comes back";
      // Nobody is shown an id before it is confirmed.
      std::set<int>& labels = had[id];
      if (!confirmed) continue;
      if (label == kNothing) {
        ++score.wrong;
        continue;
      }
      labels.insert(label);
      ++followed;
      const auto [was, first] = id_of.try_emplace(label, id);
      if (!first && was->second != id) {
        ++score.switches;
        was->second = id;
      }
    }
    last_id = tracker.state().last_id;
    score.in_sight += seen.in_sight;
    score.missed += seen.in_sight - followed;
  }
  for (const auto& [id, labels] : had) score.shared += labels.size() > 1 ? 1 : 0;
  score.things = id_of.size();
  return score;
}

// A belt of six lanes, full of things of three kinds and of all sizes, at distances that differ; about
// `in_sight` at a time. It is full when the first frame is taken, and runs to the left.
std::vector<Thing> belt(double speed, int in_sight, int frames, unsigned seed) {
  constexpr int kLanes = 6;
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> side(60, 95), shift(-8, 8), gap(0.6, 1.4);
  const double distance = double{kPicture.width} * kLanes / in_sight;
  std::vector<Thing> out;
  for (int lane = 0; lane < kLanes; ++lane) {
    const double end = kPicture.width + std::abs(speed) * frames;
    for (double x = distance * gap(random); x < end; x += std::max(100.0, distance * gap(random))) {
      out.push_back({.x = speed > 0 ? x : kPicture.width - x,
                     .y = 120.0 * lane + 60 + shift(random),
                     .width = side(random),
                     .height = side(random),
                     .speed_x = -speed,
                     .class_id = static_cast<int>(random() % 3)});
    }
  }
  return out;
}

constexpr std::array<double, 9> kSpeeds = {0, 8, 40, 90, 180, 240, 320, 480, -120};

// Of some belts that differ.
Score follow_belts(double speed, int in_sight, const Noise& noise, std::pair<int, unsigned> frames_seeds) {
  Score all;
  for (unsigned seed = 0; seed < frames_seeds.second; ++seed) {
    Model model(belt(speed, in_sight, frames_seeds.first, seed), noise, seed);
    Tracker tracker({});
    all += follow(model, frames_seeds.first, tracker);
  }
  return all;
}

TEST(TrackerNoise, FollowsAFullBeltAtEverySpeed) {
  for (const int in_sight : {20, 40}) {
    for (const double speed : kSpeeds) {
      const Score all = follow_belts(speed, in_sight, {}, {20, 2});
      EXPECT_GT(all.in_sight, 20U * 2 * static_cast<std::size_t>(in_sight) * 3 / 4);
      EXPECT_EQ(all.switches, 0U) << in_sight << " at " << speed << ": " << all;
      EXPECT_EQ(all.shared, 0U) << in_sight << " at " << speed << ": " << all;
      EXPECT_EQ(all.wrong, 0U) << in_sight << " at " << speed << ": " << all;
    }
  }
}

// The sides tremble by 2.5 % of the box, one box in ten is weak, at any time one thing in eight is not seen,
// for up to as long as lost ones are remembered, and every tenth frame has a box where nothing is. One id in
// fifty may be wrong, and four. With the speed of its nearest neighbour for what comes in, in place of that
// of several, one wrong pair became hundreds.
TEST(TrackerNoise, FollowsAFullBeltThroughTheBoxesOfARealModel) {
  constexpr Noise kNoise{.jitter = 0.025, .weak = 0.1, .missed = 0.01, .longest_gap = 30, .spurious = 0.1};
  for (const int in_sight : {20, 40}) {
    for (const double speed : kSpeeds) {
      const Score all = follow_belts(speed, in_sight, kNoise, {50, 2});
      EXPECT_LE(all.switches + all.shared, 4 + all.things / 50) << in_sight << " at " << speed << ": " << all;
    }
  }
}

// Things that walk evenly, each its own way, and never come near each other: the paper's method switches
// none.
std::vector<Thing> walkers(unsigned seed, int frames) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> x(80, 1200), y(80, 640), speed(-3, 3), side(40, 70);
  std::vector<Thing> out;
  for (int tries = 0; tries < 2000 && out.size() < 15; ++tries) {
    const Thing thing{.x = x(random),
                      .y = y(random),
                      .width = side(random),
                      .height = 2 * side(random),
                      .speed_x = speed(random),
                      .speed_y = speed(random)};
    const bool alone = std::ranges::none_of(out, [&](const Thing& other) {
      for (int frame = 0; frame < frames; ++frame) {
        const double apart_x = thing.x - other.x + (thing.speed_x - other.speed_x) * frame;
        const double apart_y = thing.y - other.y + (thing.speed_y - other.speed_y) * frame;
        if (std::abs(apart_x) < (thing.width + other.width) / 2 &&
            std::abs(apart_y) < (thing.height + other.height) / 2)
          return true;
      }
      return false;
    });
    if (alone) out.push_back(thing);
  }
  return out;
}

// A multiple object tracking accuracy as high as its boxes allow: every thing that has a box has its id.
TEST(TrackerNoise, SwitchesNoneOfThoseThatNeverMeet) {
  constexpr int kFrames = 150;
  for (const Noise& noise :
       {Noise{}, Noise{.jitter = 0.025, .weak = 0.2, .missed = 0.02, .longest_gap = 10, .spurious = 0.1}}) {
    Score all;
    for (unsigned seed = 0; seed < 10; ++seed) {
      Model model(walkers(seed, kFrames), noise, seed);
      Tracker tracker({});
      all += follow(model, kFrames, tracker);
    }
    EXPECT_GT(all.things, 80U);
    EXPECT_EQ(all.switches, 0U) << all;
    EXPECT_EQ(all.shared, 0U) << all;
    const double possible = static_cast<double>(all.boxes) / static_cast<double>(all.in_sight);
    EXPECT_GE(all.mota(), possible - (noise.missed > 0 ? 0.01 : 0)) << all << ", of " << possible;
  }
}

}  // namespace
}  // namespace bascule::tasks::vision

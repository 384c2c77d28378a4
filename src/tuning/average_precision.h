#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <span>
#include <vector>

#include "content/prediction.h"

// How good a detector is on labelled pictures. The arithmetic is that of the reference package
// (ultralytics 8.4: engine/validator.py match_predictions, utils/metrics.py ap_per_class), which follows
// COCO's: ten thresholds of overlap, precision at 101 steps of recall.
namespace bascule::tuning {

// An object that is there, as a person marked it.
struct Truth {
  int class_id = 0;
  content::Box box;  // in the units of the detections
};

inline constexpr std::size_t kThresholds = 10;
// 0.50, 0.55, …, 0.95: so much must a box overlap the truth (intersection over union) to be right.
[[nodiscard]] std::array<float, kThresholds> overlap_thresholds();

// One thing that a model found, and at which thresholds it was right.
struct Judged {
  int class_id = 0;
  float confidence = 0;
  std::array<bool, kThresholds> right{};
};

// Holds one picture's detections, best first, against what is there. At each threshold the best detection
// takes the truth of its class that it overlaps most, and no other can have it.
[[nodiscard]] std::vector<Judged> judge(std::span<const content::Detection> found,
                                        std::span<const Truth> truths);

// Thread-safety: a value.
struct ClassScore {
  int class_id = 0;
  std::size_t images = 0;     // with such an object
  std::size_t instances = 0;  // such objects
  double precision = 0;       // at the confidence where the mean F1 of all classes is best
  double recall = 0;
  double ap50 = 0;  // average precision at an overlap of 0.5
  double ap = 0;    // the mean over all thresholds
};

// Thread-safety: a value.
struct Score {
  std::size_t images = 0;
  std::size_t instances = 0;
  double precision = 0;  // means over `classes`
  double recall = 0;
  double map50 = 0;
  double map = 0;
  std::vector<ClassScore> classes;  // those that are there, ascending
};

// What many pictures add up to. Thread-safety: external (one thread at a time).
class Tally {
 public:
  void add(std::span<const content::Detection> found, std::span<const Truth> truths);
  [[nodiscard]] Score score() const;

 private:
  struct There {
    std::size_t images = 0;
    std::size_t instances = 0;
  };
  std::size_t images_ = 0;
  std::vector<Judged> judged_;
  std::map<int, There> there_;
};

}  // namespace bascule::tuning

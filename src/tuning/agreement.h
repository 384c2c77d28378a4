#pragma once

#include <span>

#include "content/infer.h"

// How far a model's answers are from those of another way of running it.
namespace bascule::tuning {

// What the answers of both to the same requests have in common, added up over requests. Boxes pair where they
// are of one class and overlap by at least half (intersection over union); those whose confidence is within
// 0.05 of the threshold may be there or not, since a hair's breadth decides that.
// Thread-safety: external (one thread at a time).
class Agreement {
 public:
  // `confidence`: the threshold that boxes passed.
  explicit Agreement(double confidence = 0.25) : confidence_(confidence) {}

  void add(const content::InferResponse& reference, const content::InferResponse& got);

  // The larger of the part of boxes that only one side has and the mean distance of confidences; of classes
  // the mean distance of probabilities, 1 where another is the first and was not close; of a class map the
  // part of pixels of another class; of tensors, of rows and of depths the relative distance (Euclidean) of
  // the worst output. 0: alike; at most 1 but for tensors.
  [[nodiscard]] double drop() const;

 private:
  void add_boxes(const content::Detections& reference, const content::Detections& got);

  const double confidence_;
  double boxes_ = 0;  // that either side has, and has to
  double alone_ = 0;  // of those, on one side only
  double pairs_ = 0;
  double apart_ = 0;  // of the pairs' confidences, summed
  double worst_ = 0;  // of answers of other kinds
  double others_ = 0;
  double other_sum_ = 0;
};

// Length of the difference by the length of the reference; 1 where datatypes or shapes differ, or a number is
// none. Of strings the part that differs.
[[nodiscard]] double relative_distance(const tensor::Tensor& reference, const tensor::Tensor& got);

}  // namespace bascule::tuning

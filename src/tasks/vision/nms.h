#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "content/prediction.h"

namespace bascule::tasks::vision {

// What may be kept, with the meaning of content::PredictOptions.
struct NmsLimits {
  float confidence = 0.25F;
  float iou = 0.7F;
  std::size_t max_detections = 300;
  std::span<const int> classes;  // only these; empty: all
  bool every_class = false;  // a box counts once for each class that is sure enough, not for its best alone

  [[nodiscard]] bool wants(int class_id) const {
    return classes.empty() || std::ranges::find(classes, class_id) != classes.end();
  }
};

// Beyond this many boxes over the threshold only the best go on.
inline constexpr std::size_t kMaxNmsBoxes = 30'000;

// An object that may be kept, and where in the output it stands.
struct Candidate {
  content::Detection object;
  int anchor = 0;
};

// What the first four numbers of an anchor become: corners, or, for a rotated box, what they are (centre x,
// y, width, height in x1, y1, x2, y2).
enum class BoxForm { kCorners, kCentre };

// Memory of the steps below; reused between calls. Thread-safety: external (one thread at a time).
struct NmsScratch {
  std::vector<Candidate> candidates;
  std::vector<int> anchors;
  std::vector<content::Box> boxes;  // moved apart by class
  std::vector<float> areas;
  std::vector<int> rest;
  std::vector<float> overlaps;
};

// The boxes of a raw detection head that are sure enough, into scratch.candidates, in the order of anchors.
// `planes` holds at least 4 + classes rows of `anchors` floats, first centre x, centre y, width, height in
// pixels, then one score per class. A box gets its best class (the first of equals) and stays where that
// score is greater than `limits.confidence` and the class is wanted; one NaN among its scores or a corner
// that is not finite drops it. Corners are computed in float32 as the reference package does.
void collect_candidates(std::span<const float> planes, std::size_t anchors, std::size_t classes,
                        const NmsLimits& limits, NmsScratch& scratch, BoxForm form = BoxForm::kCorners);

// Class-aware non-maximum suppression of scratch.candidates (left sorted); the kept ones, best first, are
// appended to `out`.
// Numbers are those of the reference package (ultralytics 8.4, utils/nms.py): float32 throughout, classes
// kept apart by moving each box by 7,680 pixels times its class, an overlap greater than `limits.iou`
// suppresses. Corners may be in any order: the overlap of a box that is inside out is 0. Of equal scores the
// earlier box comes first. At most max_detections rounds over at most kMaxNmsBoxes boxes.
void suppress(const NmsLimits& limits, NmsScratch& scratch, std::vector<Candidate>& out);

// The same for rotated boxes in their centre form, with the angle of each anchor in radians. As in the
// reference package a box goes where any better box, kept or not, overlaps it by more than `limits.iou`;
// overlap is that of two normal distributions (Llerena et al. 2021, arXiv 2106.06072; "probiou").
void suppress_rotated(const NmsLimits& limits, std::span<const float> angles, NmsScratch& scratch,
                      std::vector<Candidate>& out);

}  // namespace bascule::tasks::vision

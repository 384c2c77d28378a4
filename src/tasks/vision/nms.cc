#include "tasks/vision/nms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <ranges>

namespace bascule::tasks::vision {
namespace {

constexpr float kClassOffset = 7680.0F;
constexpr std::size_t kBlock = 256;  // anchors whose best scores stay in the first-level cache

// Best score per anchor over all classes. A whole block has a constant length so that the loop becomes SIMD.
void best_scores(const float* scores, std::size_t stride, std::size_t classes, std::size_t count,
                 std::array<float, kBlock>& best) {
  if (count == kBlock) {
    std::copy_n(scores, kBlock, best.begin());
    for (std::size_t c = 1; c < classes; ++c) {
      const float* row = scores + c * stride;
      for (std::size_t i = 0; i < kBlock; ++i) best[i] = row[i] > best[i] ? row[i] : best[i];
    }
    return;
  }
  std::copy_n(scores, count, best.begin());
  for (std::size_t c = 1; c < classes; ++c) {
    const float* row = scores + c * stride;
    for (std::size_t i = 0; i < count; ++i) best[i] = row[i] > best[i] ? row[i] : best[i];
  }
}

// The first class with the greatest score; -1 where a score is NaN.
int best_class(const float* scores, std::size_t stride, std::size_t classes) {
  std::size_t best = 0;
  for (std::size_t c = 0; c < classes; ++c) {
    if (std::isnan(scores[c * stride])) return -1;
    if (scores[c * stride] > scores[best * stride]) best = c;
  }
  return static_cast<int>(best);
}

bool is_finite(const content::Box& box) {
  return std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) && std::isfinite(box.y2);
}

// Best first; of too many the best.
void sort_and_bound(std::vector<Candidate>& rows) {
  std::ranges::stable_sort(rows, std::ranges::greater(),
                           [](const Candidate& row) { return row.object.confidence; });
  if (rows.size() > kMaxNmsBoxes) rows.resize(kMaxNmsBoxes);
}

void move_apart(NmsScratch& scratch) {
  scratch.boxes.clear();
  scratch.areas.clear();
  for (const Candidate& row : scratch.candidates) {
    const float offset = static_cast<float>(row.object.class_id) * kClassOffset;
    const content::Box& at = row.object.box;
    const content::Box box{at.x1 + offset, at.y1 + offset, at.x2 + offset, at.y2 + offset};
    scratch.boxes.push_back(box);
    scratch.areas.push_back((box.x2 - box.x1) * (box.y2 - box.y1));
  }
}

// Length that two sides have in common; 0 where they are apart or one is inside out.
float extent(float low_a, float low_b, float high_a, float high_b) {
  const float side = std::min(high_a, high_b) - std::max(low_a, low_b);
  return std::max(side, 0.0F);
}

// A rotated box as a normal distribution: centre and covariance.
struct Gaussian {
  int class_id = 0;
  float x = 0, y = 0;
  float a = 0, b = 0, c = 0;  // of x, of y, of both
};

Gaussian gaussian_of(const content::Detection& object, float angle) {
  const content::Box& box = object.box;
  const float a = box.x2 * box.x2 / 12;
  const float b = box.y2 * box.y2 / 12;
  const float cosine = std::cos(angle);
  const float sine = std::sin(angle);
  return {.class_id = object.class_id,
          .x = box.x1,
          .y = box.y1,
          .a = a * cosine * cosine + b * sine * sine,
          .b = a * sine * sine + b * cosine * cosine,
          .c = (a - b) * cosine * sine};
}

// Two boxes and what depends on both.
struct Pair {
  float determinant;  // of the sum of their covariances
  float apart;  // the part of Bhattacharyya's distance that their centres make, times 4 and `determinant`

  Pair(const Gaussian& one, const Gaussian& two) {
    const float a = one.a + two.a;
    const float b = one.b + two.b;
    const float c = one.c + two.c;
    const float x = one.x - two.x;
    const float y = one.y - two.y;
    determinant = a * b - c * c;
    apart = a * y * y + b * x * x - 2 * c * x * y;
  }
};

// One less Hellinger's distance of the two.
float probiou(const Gaussian& one, const Gaussian& two, const Pair& pair) {
  constexpr float kEpsilon = 1e-7F;
  const float centres = pair.apart / (pair.determinant + kEpsilon) * 0.25F;
  const float own =
      std::max(one.a * one.b - one.c * one.c, 0.0F) * std::max(two.a * two.b - two.c * two.c, 0.0F);
  const float shapes = std::log(pair.determinant / (4 * std::sqrt(own) + kEpsilon) + kEpsilon) * 0.5F;
  const float distance = std::clamp(centres + shapes, kEpsilon, 100.0F);
  return 1 - std::sqrt(1 - std::exp(-distance) + kEpsilon);
}

// Centres so far apart, by Bhattacharyya's distance, that boxes of any shape overlap by less than `iou`; with
// something to spare for float32. Most pairs are, and cost neither a root nor a logarithm then.
float far_apart(float iou) {
  const float distance = 1 - iou;
  return distance >= 1 ? std::numeric_limits<float>::infinity()
                       : -std::log(1 - distance * distance) * 1.05F + 1e-3F;
}

}  // namespace

void collect_candidates(std::span<const float> planes, std::size_t anchors, std::size_t classes,
                        const NmsLimits& limits, NmsScratch& scratch, BoxForm form) {
  const float* scores = planes.data() + 4 * anchors;
  std::array<float, kBlock> best;
  scratch.anchors.clear();
  scratch.candidates.clear();
  for (std::size_t start = 0; start < anchors; start += kBlock) {
    const std::size_t count = std::min(kBlock, anchors - start);
    best_scores(scores + start, anchors, classes, count, best);
    for (std::size_t i = 0; i < count; ++i) {
      if (best[i] > limits.confidence) scratch.anchors.push_back(static_cast<int>(start + i));
    }
  }
  const auto wanted = [&](std::size_t class_id) { return limits.wants(static_cast<int>(class_id)); };
  for (const int anchor : scratch.anchors) {
    const auto a = static_cast<std::size_t>(anchor);
    const int best_of_all = best_class(scores + a, anchors, classes);
    if (best_of_all < 0) continue;
    const float x = planes[a];
    const float y = planes[anchors + a];
    const float width = planes[2 * anchors + a];
    const float height = planes[3 * anchors + a];
    const content::Box box = form == BoxForm::kCentre
                                 ? content::Box{x, y, width, height}
                                 : content::Box{x - width / 2, y - height / 2, x + width / 2, y + height / 2};
    if (!is_finite(box)) continue;
    const auto add = [&](std::size_t class_id) {
      const float score = scores[class_id * anchors + a];
      scratch.candidates.push_back(
          {.object = {.class_id = static_cast<int>(class_id), .confidence = score, .box = box},
           .anchor = anchor});
    };
    if (!limits.every_class) {
      if (wanted(static_cast<std::size_t>(best_of_all))) add(static_cast<std::size_t>(best_of_all));
      continue;
    }
    for (std::size_t c = 0; c < classes; ++c) {
      if (scores[c * anchors + a] > limits.confidence && wanted(c)) add(c);
    }
  }
}

void suppress(const NmsLimits& limits, NmsScratch& scratch, std::vector<Candidate>& out) {
  sort_and_bound(scratch.candidates);
  move_apart(scratch);
  std::vector<int>& rest = scratch.rest;
  rest.resize(scratch.candidates.size());
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] = static_cast<int>(i);
  for (std::size_t kept = 0; kept < limits.max_detections && !rest.empty(); ++kept) {
    const auto first = static_cast<std::size_t>(rest.front());
    out.push_back(scratch.candidates[first]);
    const content::Box box = scratch.boxes[first];
    scratch.overlaps.clear();
    bool any = false;
    for (std::size_t i = 1; i < rest.size(); ++i) {
      const content::Box& other = scratch.boxes[static_cast<std::size_t>(rest[i])];
      const float common =
          extent(box.x1, other.x1, box.x2, other.x2) * extent(box.y1, other.y1, box.y2, other.y2);
      any = any || common > 0;
      scratch.overlaps.push_back(common);
    }
    std::size_t left = 0;
    for (std::size_t i = 1; i < rest.size(); ++i) {
      const float common = scratch.overlaps[i - 1];
      const float joint = scratch.areas[first] + scratch.areas[static_cast<std::size_t>(rest[i])] - common;
      // Written so that 0 / 0 falls where it falls in the reference: out, unless nothing overlaps at all.
      if (!any || common / joint <= limits.iou) rest[left++] = rest[i];
    }
    rest.resize(left);
  }
}

void suppress_rotated(const NmsLimits& limits, std::span<const float> angles, NmsScratch& scratch,
                      std::vector<Candidate>& out) {
  sort_and_bound(scratch.candidates);
  std::vector<Gaussian> seen;
  seen.reserve(scratch.candidates.size());
  const float far = far_apart(limits.iou);
  for (const Candidate& row : scratch.candidates) {
    if (out.size() >= limits.max_detections) return;
    const Gaussian own = gaussian_of(row.object, angles[static_cast<std::size_t>(row.anchor)]);
    // Classes do not overlap: the reference moves them apart by thousands of pixels.
    const bool covered = std::ranges::any_of(seen, [&](const Gaussian& better) {
      if (better.class_id != own.class_id) return false;
      const Pair pair(better, own);
      // Written so that what cannot be compared is looked at closely.
      return !(pair.apart * 0.25F > far * pair.determinant) && probiou(better, own, pair) > limits.iou;
    });
    if (!covered) out.push_back(row);
    seen.push_back(own);
  }
}

}  // namespace bascule::tasks::vision

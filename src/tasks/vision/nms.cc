#include "tasks/vision/nms.h"

#include <algorithm>
#include <array>
#include <cmath>

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

void sort_best_first(std::vector<content::Detection>& rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const content::Detection& a, const content::Detection& b) {
    return a.confidence > b.confidence;
  });
}

void move_apart(NmsScratch& scratch) {
  scratch.boxes.clear();
  scratch.areas.clear();
  for (const content::Detection& row : scratch.candidates) {
    const float offset = static_cast<float>(row.class_id) * kClassOffset;
    const content::Box box{row.box.x1 + offset, row.box.y1 + offset, row.box.x2 + offset,
                           row.box.y2 + offset};
    scratch.boxes.push_back(box);
    scratch.areas.push_back((box.x2 - box.x1) * (box.y2 - box.y1));
  }
}

// Length that two sides have in common; 0 where they are apart or one is inside out.
float extent(float low_a, float low_b, float high_a, float high_b) {
  const float side = std::min(high_a, high_b) - std::max(low_a, low_b);
  return std::max(side, 0.0F);
}

}  // namespace

void collect_candidates(std::span<const float> planes, std::size_t anchors, std::size_t classes,
                        float confidence, NmsScratch& scratch) {
  const float* scores = planes.data() + 4 * anchors;
  std::array<float, kBlock> best;
  scratch.anchors.clear();
  scratch.candidates.clear();
  for (std::size_t start = 0; start < anchors; start += kBlock) {
    const std::size_t count = std::min(kBlock, anchors - start);
    best_scores(scores + start, anchors, classes, count, best);
    for (std::size_t i = 0; i < count; ++i) {
      if (best[i] > confidence) scratch.anchors.push_back(static_cast<int>(start + i));
    }
  }
  for (const int anchor : scratch.anchors) {
    const auto a = static_cast<std::size_t>(anchor);
    const int class_id = best_class(scores + a, anchors, classes);
    if (class_id < 0) continue;
    const float x = planes[a];
    const float y = planes[anchors + a];
    const float half_width = planes[2 * anchors + a] / 2;
    const float half_height = planes[3 * anchors + a] / 2;
    const content::Box box{x - half_width, y - half_height, x + half_width, y + half_height};
    if (!is_finite(box)) continue;
    const float score = scores[static_cast<std::size_t>(class_id) * anchors + a];
    scratch.candidates.push_back({.class_id = class_id, .confidence = score, .box = box});
  }
}

void suppress(const NmsLimits& limits, NmsScratch& scratch, std::vector<content::Detection>& out) {
  sort_best_first(scratch.candidates);
  if (scratch.candidates.size() > kMaxNmsBoxes) scratch.candidates.resize(kMaxNmsBoxes);
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

}  // namespace bascule::tasks::vision

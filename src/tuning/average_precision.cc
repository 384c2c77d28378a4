#include "tuning/average_precision.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

namespace bascule::tuning {
namespace {

constexpr std::size_t kSteps = 1000;        // of confidence, 0 to 1
constexpr std::size_t kRecallSteps = 101;   // as COCO's
constexpr std::size_t kSmoothedOver = 101;  // steps: the reference's filter of 0.1
constexpr float kTiny = 1e-7F;

using Curve = std::vector<double>;

double step(std::size_t i, std::size_t steps) {
  return static_cast<double>(i) / static_cast<double>(steps - 1);
}

float area(const content::Box& box) { return (box.x2 - box.x1) * (box.y2 - box.y1); }

float overlap(const content::Box& a, const content::Box& b) {
  const float width = std::max(std::min(a.x2, b.x2) - std::max(a.x1, b.x1), 0.0F);
  const float height = std::max(std::min(a.y2, b.y2) - std::max(a.y1, b.y1), 0.0F);
  const float common = width * height;
  return common / (area(a) + area(b) - common + kTiny);
}

// The piecewise linear function through (x, y) at `at`, with `left` before its first point and its last value
// behind its last: numpy's interp. `x` ascends and is not empty.
double interpolated(double at, const Curve& x, const Curve& y, double left) {
  if (at < x.front()) return left;
  if (at >= x.back()) return y.back();
  const auto after = static_cast<std::size_t>(std::ranges::upper_bound(x, at) - x.begin());
  const double slope = (y[after] - y[after - 1]) / (x[after] - x[after - 1]);
  return y[after - 1] + slope * (at - x[after - 1]);
}

// The area below the curve of precision over recall, made to fall.
double average_precision(const Curve& recall, const Curve& precision) {
  Curve x = {0};
  Curve y = {1};
  std::ranges::copy(recall, std::back_inserter(x));
  std::ranges::copy(precision, std::back_inserter(y));
  x.insert(x.end(), {recall.back(), 1});
  y.insert(y.end(), {0, 0});
  for (std::size_t i = y.size() - 1; i > 0; --i) y[i - 1] = std::max(y[i - 1], y[i]);
  double sum = 0;
  double before = interpolated(0, x, y, y.front());
  for (std::size_t i = 1; i < kRecallSteps; ++i) {
    const double value = interpolated(step(i, kRecallSteps), x, y, y.front());
    sum += (before + value) / 2 * (step(i, kRecallSteps) - step(i - 1, kRecallSteps));
    before = value;
  }
  return sum;
}

// What the rows of one class make, best first.
struct ClassCurves {
  std::array<double, kThresholds> ap{};
  Curve precision = Curve(kSteps);  // by confidence, at the first threshold
  Curve recall = Curve(kSteps);
};

ClassCurves curves_of(std::span<const Judged* const> rows, std::size_t instances) {
  ClassCurves out;
  if (rows.empty()) return out;
  Curve falling;  // confidences, made to ascend
  for (const Judged* const row : rows) falling.push_back(-static_cast<double>(row->confidence));
  for (std::size_t t = 0; t < kThresholds; ++t) {
    Curve recall;
    Curve precision;
    double right = 0;
    for (const Judged* const row : rows) {
      right += row->right[t] ? 1 : 0;
      recall.push_back(right / static_cast<double>(instances));
      precision.push_back(right / static_cast<double>(recall.size()));
    }
    out.ap[t] = average_precision(recall, precision);
    if (t > 0) continue;
    for (std::size_t i = 0; i < kSteps; ++i) {
      out.recall[i] = interpolated(-step(i, kSteps), falling, recall, 0);
      out.precision[i] = interpolated(-step(i, kSteps), falling, precision, 1);
    }
  }
  return out;
}

// Where the mean over classes of F1, smoothed by a moving mean, is greatest.
std::size_t best_step(const std::vector<ClassCurves>& classes) {
  Curve mean(kSteps);
  for (const ClassCurves& one : classes) {
    for (std::size_t i = 0; i < kSteps; ++i) {
      mean[i] += 2 * one.precision[i] * one.recall[i] / (one.precision[i] + one.recall[i] + 1e-16) /
                 static_cast<double>(classes.size());
    }
  }
  constexpr std::size_t kHalf = kSmoothedOver / 2;
  std::size_t best = 0;
  double best_sum = -1;
  for (std::size_t i = 0; i < kSteps; ++i) {
    double sum = 0;  // the first and the last value go on beyond the ends
    for (std::size_t j = 0; j < kSmoothedOver; ++j) {
      sum += mean[std::clamp(i + j, kHalf, kSteps - 1 + kHalf) - kHalf];
    }
    if (sum > best_sum) {
      best_sum = sum;
      best = i;
    }
  }
  return best;
}

}  // namespace

std::array<float, kThresholds> overlap_thresholds() {
  std::array<float, kThresholds> out{};
  for (std::size_t i = 0; i < kThresholds; ++i) out[i] = 0.5F + 0.05F * static_cast<float>(i);
  out.back() = 0.95F;
  return out;
}

std::vector<Judged> judge(std::span<const content::Detection> found, std::span<const Truth> truths) {
  const auto thresholds = overlap_thresholds();
  std::vector<std::array<bool, kThresholds>> taken(truths.size());
  std::vector<Judged> out;
  out.reserve(found.size());
  std::vector<float> overlaps(truths.size());
  for (const content::Detection& row : found) {
    Judged& judged = out.emplace_back();
    judged.class_id = row.class_id;
    judged.confidence = row.confidence;
    for (std::size_t i = 0; i < truths.size(); ++i) {
      overlaps[i] = truths[i].class_id == row.class_id ? overlap(truths[i].box, row.box) : 0;
    }
    for (std::size_t t = 0; t < kThresholds; ++t) {
      std::size_t best = truths.size();
      for (std::size_t i = 0; i < truths.size(); ++i) {
        if (!taken[i][t] && (best == truths.size() || overlaps[i] > overlaps[best])) best = i;
      }
      if (best == truths.size() || !(overlaps[best] >= thresholds[t])) continue;
      judged.right[t] = true;
      taken[best][t] = true;
    }
  }
  return out;
}

void Tally::add(std::span<const content::Detection> found, std::span<const Truth> truths) {
  ++images_;
  std::ranges::copy(judge(found, truths), std::back_inserter(judged_));
  std::map<int, std::size_t> here;
  for (const Truth& truth : truths) ++here[truth.class_id];
  for (const auto& [class_id, count] : here) {
    ++there_[class_id].images;
    there_[class_id].instances += count;
  }
}

Score Tally::score() const {
  Score out{.images = images_};
  std::map<int, std::vector<const Judged*>> rows;
  for (const Judged& row : judged_) rows[row.class_id].push_back(&row);
  std::vector<ClassCurves> curves;
  for (const auto& [class_id, there] : there_) {
    std::vector<const Judged*>& own = rows[class_id];
    std::ranges::stable_sort(own, std::ranges::greater(), &Judged::confidence);
    curves.push_back(curves_of(own, there.instances));
    double sum = 0;
    for (const double ap : curves.back().ap) sum += ap;
    out.classes.push_back({.class_id = class_id,
                           .images = there.images,
                           .instances = there.instances,
                           .ap50 = curves.back().ap.front(),
                           .ap = sum / static_cast<double>(kThresholds)});
  }
  if (out.classes.empty()) return out;
  const std::size_t at = best_step(curves);
  const auto count = static_cast<double>(out.classes.size());
  for (std::size_t i = 0; i < out.classes.size(); ++i) {
    ClassScore& one = out.classes[i];
    one.precision = curves[i].precision[at];
    one.recall = curves[i].recall[at];
    out.instances += one.instances;
    out.precision += one.precision / count;
    out.recall += one.recall / count;
    out.map50 += one.ap50 / count;
    out.map += one.ap / count;
  }
  return out;
}

}  // namespace bascule::tuning

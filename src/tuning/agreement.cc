#include "tuning/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bascule::tuning {
namespace {

using tensor::DataType;
using tensor::Tensor;

constexpr double kEdge = 0.05;  // of confidence
constexpr double kOverlap = 0.5;

// A model that has learned little puts corners the wrong way round.
content::Box upright(const content::Box& box) {
  return {.x1 = std::min(box.x1, box.x2),
          .y1 = std::min(box.y1, box.y2),
          .x2 = std::max(box.x1, box.x2),
          .y2 = std::max(box.y1, box.y2)};
}

double area(const content::Box& box) {
  return static_cast<double>(box.x2 - box.x1) * static_cast<double>(box.y2 - box.y1);
}

// Of boxes without an area: whether their corners are the same, to a pixel.
double overlap(const content::Box& one, const content::Box& other) {
  const content::Box a = upright(one);
  const content::Box b = upright(other);
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  if (area(a) == 0 && area(b) == 0) {
    const auto near = [](float x, float y) { return std::abs(x - y) <= 1; };
    return near(a.x1, b.x1) && near(a.y1, b.y1) && near(a.x2, b.x2) && near(a.y2, b.y2) ? 1 : 0;
  }
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / (area(a) + area(b) - both);
}

template <class T>
double distance(std::span<const T> reference, std::span<const T> got) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const auto one = static_cast<double>(reference[i]);
    const auto other = static_cast<double>(got[i]);
    if (!std::isfinite(one) && !std::isfinite(other)) continue;
    if (std::isfinite(one) != std::isfinite(other)) return 1;
    difference += (one - other) * (one - other);
    size += one * one;
  }
  if (difference == 0) return 0;
  return size == 0 ? 1 : std::sqrt(difference / size);
}

double classes_apart(const content::Classification& reference, const content::Classification& got) {
  if (reference.best.empty() || got.best.empty()) return reference.best.empty() == got.best.empty() ? 0 : 1;
  const auto of = [&](int class_id) {
    const auto at = std::ranges::find(got.best, class_id, &content::RankedClass::class_id);
    return at == got.best.end() ? 0.0 : static_cast<double>(at->confidence);
  };
  const bool close = reference.best.size() > 1 &&
                     reference.best[0].confidence - reference.best[1].confidence < static_cast<float>(kEdge);
  if (reference.best[0].class_id != got.best[0].class_id && !close) return 1;
  double sum = 0;
  for (const content::RankedClass& one : reference.best) {
    sum += std::abs(static_cast<double>(one.confidence) - of(one.class_id));
  }
  return sum / static_cast<double>(reference.best.size());
}

double maps_apart(const content::ClassMap& reference, const content::ClassMap& got) {
  if (reference.classes.size() != got.classes.size() || reference.classes.empty()) {
    return reference.classes.size() == got.classes.size() ? 0 : 1;
  }
  std::size_t other = 0;
  for (std::size_t i = 0; i < got.classes.size(); ++i)
    other += reference.classes[i] != got.classes[i] ? 1 : 0;
  return static_cast<double>(other) / static_cast<double>(got.classes.size());
}

double depths_apart(const content::DepthMap& reference, const content::DepthMap& got) {
  const std::vector<float> one = {reference.nearest, reference.farthest};
  const std::vector<float> other = {got.nearest, got.farthest};
  return distance<float>(one, other);
}

}  // namespace

double relative_distance(const Tensor& reference, const Tensor& got) {
  if (reference.type != got.type || reference.shape != got.shape) return 1;
  switch (reference.type) {
    case DataType::kFp32: return distance(reference.elements<float>(), got.elements<float>());
    case DataType::kFp64: return distance(reference.elements<double>(), got.elements<double>());
    case DataType::kInt64: return distance(reference.elements<std::int64_t>(), got.elements<std::int64_t>());
    case DataType::kInt32: return distance(reference.elements<std::int32_t>(), got.elements<std::int32_t>());
    case DataType::kUint8: return distance(reference.elements<std::uint8_t>(), got.elements<std::uint8_t>());
    default: break;
  }
  // Of other types it is told whether they are the same.
  if (reference.bytes.size() != got.bytes.size()) return 1;
  return std::ranges::equal(reference.bytes, got.bytes) ? 0 : 1;
}

void Agreement::add_boxes(const content::Detections& reference, const content::Detections& got) {
  std::vector<bool> taken(got.rows.size(), false);
  const auto sure = [&](const content::Detection& row) {
    return static_cast<double>(row.confidence) > confidence_ + kEdge;
  };
  for (const content::Detection& row : reference.rows) {
    std::size_t best = got.rows.size();
    double most = kOverlap;
    for (std::size_t i = 0; i < got.rows.size(); ++i) {
      if (taken[i] || got.rows[i].class_id != row.class_id) continue;
      const double both = overlap(row.box, got.rows[i].box);
      if (both < most) continue;
      most = both;
      best = i;
    }
    if (best == got.rows.size()) {
      boxes_ += sure(row) ? 1 : 0;
      alone_ += sure(row) ? 1 : 0;
      continue;
    }
    taken[best] = true;
    boxes_ += 1;
    pairs_ += 1;
    apart_ += std::abs(static_cast<double>(row.confidence) - static_cast<double>(got.rows[best].confidence));
  }
  for (std::size_t i = 0; i < got.rows.size(); ++i) {
    if (taken[i] || !sure(got.rows[i])) continue;
    boxes_ += 1;
    alone_ += 1;
  }
}

void Agreement::add(const content::InferResponse& reference, const content::InferResponse& got) {
  if (reference.prediction.has_value() != got.prediction.has_value()) {
    worst_ = std::max(worst_, 1.0);
    return;
  }
  if (!reference.prediction) {
    if (reference.outputs.size() != got.outputs.size()) worst_ = std::max(worst_, 1.0);
    for (std::size_t i = 0; i < std::min(reference.outputs.size(), got.outputs.size()); ++i) {
      worst_ = std::max(worst_, relative_distance(reference.outputs[i].tensor, got.outputs[i].tensor));
    }
    return;
  }
  if (reference.prediction->index() != got.prediction->index()) {
    worst_ = std::max(worst_, 1.0);
    return;
  }
  if (const auto* boxes = std::get_if<content::Detections>(&*reference.prediction)) {
    add_boxes(*boxes, std::get<content::Detections>(*got.prediction));
    return;
  }
  others_ += 1;
  if (const auto* classes = std::get_if<content::Classification>(&*reference.prediction)) {
    other_sum_ += classes_apart(*classes, std::get<content::Classification>(*got.prediction));
  } else if (const auto* map = std::get_if<content::ClassMap>(&*reference.prediction)) {
    other_sum_ += maps_apart(*map, std::get<content::ClassMap>(*got.prediction));
  } else {
    other_sum_ += depths_apart(std::get<content::DepthMap>(*reference.prediction),
                               std::get<content::DepthMap>(*got.prediction));
  }
}

double Agreement::drop() const {
  const double alone = boxes_ > 0 ? alone_ / boxes_ : 0;
  const double apart = pairs_ > 0 ? apart_ / pairs_ : 0;
  const double others = others_ > 0 ? other_sum_ / others_ : 0;
  return std::max({alone, apart, others, worst_});
}

}  // namespace bascule::tuning

#include "tasks/vision/detection.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tasks/vision/outputs.h"
#include "tasks/vision/scale.h"

namespace bascule::tasks::vision {
namespace {

constexpr std::size_t kRowLength = 6;
constexpr float kMaxClass = 1e6F;

// What was kept, in pixels of the model's input; `more` holds the further numbers of each, one after the
// other.
struct Kept {
  std::vector<content::Detection> rows;
  std::vector<float> more;
};

struct Sizes {
  std::size_t more;

  [[nodiscard]] std::span<const float> of(const Kept& kept, std::size_t row) const {
    return std::span(kept.more).subspan(row * more, more);
  }
};

// Rows that are sure enough, in the model's order, at most `limits.max_detections`; then best first.
void collect_rows(std::span<const float> values, std::size_t more, const NmsLimits& limits, Kept& out) {
  const std::size_t length = kRowLength + more;
  std::vector<std::span<const float>> rows;
  for (std::size_t at = 0; at < values.size() && rows.size() < limits.max_detections; at += length) {
    const std::span<const float> row = values.subspan(at, length);
    const bool finite = std::ranges::all_of(row, [](float v) { return std::isfinite(v); });
    const bool usable = finite && row[4] > limits.confidence && row[5] >= 0 && row[5] < kMaxClass;
    if (usable && limits.wants(static_cast<int>(row[5]))) rows.push_back(row);
  }
  std::ranges::stable_sort(rows, std::ranges::greater(), [](std::span<const float> row) { return row[4]; });
  for (const std::span<const float> row : rows) {
    out.rows.push_back({.class_id = static_cast<int>(row[5]),
                        .confidence = row[4],
                        .box = {row[0], row[1], row[2], row[3]}});
    const auto rest = row.subspan(kRowLength);
    out.more.insert(out.more.end(), rest.begin(), rest.end());
  }
}

// Anchors that are sure enough and not covered by a better one.
void collect_anchors(const tensor::Tensor& output, const DetectionSpec& spec, const NmsLimits& limits,
                     NmsScratch& scratch, Kept& out) {
  const auto more = static_cast<std::size_t>(spec.more);
  const auto anchors = static_cast<std::size_t>(output.shape[2]);
  const std::size_t classes = static_cast<std::size_t>(output.shape[1]) - 4 - more;
  const std::span<const float> planes = output.elements<float>();
  const std::span<const float> further = planes.subspan((4 + classes) * anchors);
  const bool rotated = spec.kind == ObjectKind::kRotated;
  std::vector<Candidate> kept;
  collect_candidates(planes, anchors, classes, limits, scratch,
                     rotated ? BoxForm::kCentre : BoxForm::kCorners);
  if (rotated) {
    suppress_rotated(limits, further, scratch, kept);
  } else {
    suppress(limits, scratch, kept);
  }
  for (const Candidate& one : kept) {
    std::vector<float> numbers;
    for (std::size_t i = 0; i < more; ++i) {
      numbers.push_back(further[i * anchors + static_cast<std::size_t>(one.anchor)]);
    }
    if (!std::ranges::all_of(numbers, [](float v) { return std::isfinite(v); })) continue;
    out.rows.push_back(one.object);
    out.more.insert(out.more.end(), numbers.begin(), numbers.end());
  }
}

content::Box around(const std::array<content::Point, 4>& corners) {
  const auto [left, right] = std::ranges::minmax(corners, {}, &content::Point::x);
  const auto [top, bottom] = std::ranges::minmax(corners, {}, &content::Point::y);
  return {left.x, top.y, right.x, bottom.y};
}

std::vector<content::Keypoint> keypoints_of(std::span<const float> numbers, int point_size,
                                            const Scale& scale) {
  std::vector<content::Keypoint> out;
  const auto size = static_cast<std::size_t>(point_size);
  for (std::size_t at = 0; at + size <= numbers.size(); at += size) {
    out.push_back(
        {.at = scale.point({numbers[at], numbers[at + 1]}), .visible = size > 2 ? numbers[at + 2] : 1.0F});
  }
  return out;
}

class DetectionTask final : public PictureTask {
 public:
  explicit DetectionTask(DetectionSpec spec) : PictureTask(spec.input), spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override {
    switch (spec_.kind) {
      case ObjectKind::kRotated: return "obb";
      case ObjectKind::kKeypoints: return "pose";
      case ObjectKind::kMask: return "segment";
      case ObjectKind::kBox: break;
    }
    return "detect";
  }

  Result<content::Prediction> finish(const Plan& plan, Scratch& scratch,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    BASCULE_ASSIGN(const tensor::Tensor* const output, find_output(outputs));
    const NmsLimits limits{.confidence = static_cast<float>(plan.options.confidence),
                           .iou = static_cast<float>(plan.options.iou),
                           .max_detections = static_cast<std::size_t>(plan.options.max_detections),
                           .classes = plan.options.classes,
                           .every_class = plan.options.judged_input.has_value()};
    Kept kept;
    if (spec_.layout == DetectionLayout::kRows) {
      collect_rows(output->elements<float>(), static_cast<std::size_t>(spec_.more), limits, kept);
    } else {
      collect_anchors(*output, spec_, limits, scratch.nms, kept);
    }
    const Scale scale(plan.letterbox);
    content::Detections found{.picture = plan.letterbox.original};
    if (plan.options.judged_input) {
      for (content::Detection row : kept.rows) {
        row.box = scale.whole_box(row.box);
        found.rows.push_back(row);
      }
      return found;
    }
    if (spec_.kind == ObjectKind::kMask) {
      BASCULE_TRY(add_masks(plan, scale, outputs, scratch.mask, kept, found));
      return found;
    }
    const Sizes sizes{static_cast<std::size_t>(spec_.more)};
    for (std::size_t i = 0; i < kept.rows.size(); ++i) {
      content::Detection row = kept.rows[i];
      if (spec_.kind == ObjectKind::kRotated) {
        found.corners.push_back(scale.corners(row.box, sizes.of(kept, i).front()));
        row.box = around(found.corners.back());
      } else {
        row.box = scale.box(row.box);
      }
      if (spec_.kind == ObjectKind::kKeypoints) {
        found.keypoints.push_back(keypoints_of(sizes.of(kept, i), spec_.point_size, scale));
      }
      found.rows.push_back(row);
    }
    found.tells_visible = spec_.kind == ObjectKind::kKeypoints && spec_.point_size > 2;
    return found;
  }

 private:
  // The output tensor, checked to be what the loops above index.
  [[nodiscard]] Result<const tensor::Tensor*> find_output(
      std::span<const tensor::NamedTensor> outputs) const {
    const bool raw = spec_.layout == DetectionLayout::kRaw;
    const auto expected = [&] {
      const std::string more = spec_.more == 0 ? std::string() : fmt::format(" + {}", spec_.more);
      return raw ? fmt::format("[1, 4 + classes{}, anchors]", more)
                 : (spec_.more == 0 ? std::string("[1, rows, 6]") : fmt::format("[1, rows, 6{}]", more));
    };
    BASCULE_ASSIGN(const tensor::Tensor* const found,
                   output_named(outputs, spec_.output, tensor::DataType::kFp32));
    const tensor::Shape& shape = found->shape;
    const bool rank = shape.size() == 3 && shape[0] == 1;
    const bool fits = rank && (raw ? shape[1] > 4 + spec_.more
                                   : shape[2] == static_cast<std::int64_t>(kRowLength) + spec_.more);
    if (fits) return found;
    return unexpected_output(spec_.output, *found, fmt::format("a detector's is FP32 {}", expected()));
  }

  [[nodiscard]] Result<Prototypes> find_prototypes(std::span<const tensor::NamedTensor> outputs) const {
    BASCULE_ASSIGN(const tensor::Tensor* const found,
                   output_named(outputs, spec_.prototypes, tensor::DataType::kFp32));
    const tensor::Shape& shape = found->shape;
    if (shape.size() != 4 || shape[0] != 1 || shape[1] != spec_.more) {
      return unexpected_output(spec_.prototypes, *found,
                               fmt::format("masks are mixed from FP32 [1, {}, height, width]", spec_.more));
    }
    return Prototypes{.values = found->elements<float>(),
                      .channels = static_cast<std::size_t>(shape[1]),
                      .height = static_cast<std::size_t>(shape[2]),
                      .width = static_cast<std::size_t>(shape[3])};
  }

  // An object whose mask has no pixel is none.
  Result<void> add_masks(const Plan& plan, const Scale& scale, std::span<const tensor::NamedTensor> outputs,
                         MaskScratch& scratch, const Kept& kept, content::Detections& found) const {
    BASCULE_ASSIGN(const Prototypes prototypes, find_prototypes(outputs));
    const Sizes sizes{static_cast<std::size_t>(spec_.more)};
    Mask mask;
    for (std::size_t i = 0; i < kept.rows.size(); ++i) {
      content::Detection row = kept.rows[i];
      draw_mask(prototypes, sizes.of(kept, i), row.box, plan.letterbox.input, scratch, mask);
      if (mask.empty()) continue;
      row.box = scale.box(row.box);
      found.rows.push_back(row);
      found.outlines.push_back(outline_of(mask));
      for (content::Point& point : found.outlines.back()) point = scale.point(point);
    }
    return {};
  }

  DetectionSpec spec_;
};

}  // namespace

std::shared_ptr<const Task> make_detection_task(DetectionSpec spec) {
  return std::make_shared<DetectionTask>(std::move(spec));
}

}  // namespace bascule::tasks::vision

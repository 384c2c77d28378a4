#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/text.h"
#include "tasks/vision/activation.h"
#include "tasks/vision/described.h"
#include "tasks/vision/nms.h"
#include "tasks/vision/outputs.h"
#include "tasks/vision/scale.h"

namespace bascule::tasks::vision {
namespace {

constexpr double kMaxClass = 1e6;

// The outputs of one run, read as rows.
struct Rows {
  std::size_t count = 0;
  std::span<const float> boxes;
  std::size_t box_step = 4;  // from one box to the next
  std::span<const float> scores;
  std::size_t classes = 1;     // scores of each box
  std::size_t score_step = 1;  // from one box's scores to the next
  std::vector<int> numbers;    // of classes, where an output tells them
};

// The numbers of an output as they are, whatever its datatype.
Result<std::vector<int>> whole_numbers(const tensor::Tensor& tensor, const std::string& name) {
  std::vector<int> out;
  const auto take = [&](auto values) {
    for (const auto value : values) {
      const auto number = static_cast<double>(value);
      out.push_back(number >= 0 && number < kMaxClass ? static_cast<int>(number) : -1);
    }
  };
  switch (tensor.type) {
    case tensor::DataType::kFp32: take(tensor.elements<float>()); break;
    case tensor::DataType::kInt64: take(tensor.elements<std::int64_t>()); break;
    case tensor::DataType::kInt32: take(tensor.elements<std::int32_t>()); break;
    default: return unexpected_output(name, tensor, "numbers of classes are FP32, INT32 or INT64");
  }
  return out;
}

class BoxDetector final : public PictureTask {
 public:
  explicit BoxDetector(BoxDetectorSpec spec) : PictureTask(spec.input), spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return "detect"; }

  Result<content::Prediction> finish(const Plan& plan, Scratch& scratch,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    BASCULE_ASSIGN(const Rows rows, read(outputs));
    const NmsLimits limits{.confidence = static_cast<float>(plan.options.confidence),
                           .iou = static_cast<float>(plan.options.iou),
                           .max_detections = static_cast<std::size_t>(plan.options.max_detections),
                           .classes = plan.options.classes};
    std::vector<Candidate>& found = scratch.nms.candidates;
    collect(rows, limits, plan.letterbox.input, found);
    std::vector<Candidate> kept;
    if (spec_.suppress) {
      suppress(limits, scratch.nms, kept);
    } else {
      std::ranges::stable_sort(found, std::ranges::greater(),
                               [](const Candidate& one) { return one.object.confidence; });
      kept.assign(found.begin(),
                  found.begin() + static_cast<std::ptrdiff_t>(std::min(found.size(), limits.max_detections)));
    }
    content::Detections out{.picture = plan.letterbox.original};
    const Scale scale(plan.letterbox);
    for (Candidate& one : kept) {
      one.object.box = scale.box(one.object.box);
      out.rows.push_back(one.object);
    }
    return out;
  }

 private:
  // Checks that all outputs speak of as many boxes.
  Result<Rows> read(std::span<const tensor::NamedTensor> outputs) const {
    BASCULE_ASSIGN(const tensor::Tensor* const boxes,
                   output_named(outputs, spec_.boxes, tensor::DataType::kFp32));
    const tensor::Shape& shape = boxes->shape;
    const bool batch = shape.size() == 3;
    if (shape.size() < 2 || shape.size() > 3 || (batch && shape[0] != 1)) {
      return unexpected_output(spec_.boxes, *boxes, "boxes are FP32 [1, count, 4]");
    }
    Rows rows{.count = static_cast<std::size_t>(shape[shape.size() - 2]), .boxes = boxes->elements<float>()};
    rows.box_step = static_cast<std::size_t>(shape.back());
    if (spec_.scores.empty()) {
      if (rows.box_step < 5)
        return unexpected_output(spec_.boxes, *boxes, "4 numbers and the scores were expected");
      rows.classes = rows.box_step - 4;
      rows.score_step = rows.box_step;
      rows.scores = rows.count > 0 ? rows.boxes.subspan(4) : rows.boxes;
      return rows;
    }
    if (rows.box_step != 4) return unexpected_output(spec_.boxes, *boxes, "boxes are FP32 [1, count, 4]");
    BASCULE_ASSIGN(const tensor::Tensor* const scores,
                   output_named(outputs, spec_.scores, tensor::DataType::kFp32));
    rows.scores = scores->elements<float>();
    if (rows.count > 0) rows.classes = rows.scores.size() / rows.count;
    rows.score_step = rows.classes;
    if (rows.scores.size() != rows.count * rows.classes || (rows.count > 0 && rows.classes == 0)) {
      return unexpected_output(spec_.scores, *scores, "scores for each box were expected");
    }
    if (spec_.classes.empty()) return rows;
    const auto classes = std::ranges::find(outputs, spec_.classes, &tensor::NamedTensor::name);
    if (classes == outputs.end()) return internal_error("The model gave no output of that name for classes.");
    BASCULE_ASSIGN(rows.numbers, whole_numbers(classes->tensor, spec_.classes));
    if (rows.numbers.size() != rows.count || rows.classes != 1) {
      return unexpected_output(spec_.classes, classes->tensor, "one class for each box was expected");
    }
    return rows;
  }

  void collect(const Rows& rows, const NmsLimits& limits, content::PictureSize input,
               std::vector<Candidate>& out) const {
    out.clear();
    std::vector<float> scores;
    const bool one_each = !rows.numbers.empty();
    // Scores that follow their box cannot be told from it, and are probabilities.
    const bool mixed = spec_.scores.empty() && spec_.activation == content::Activation::kAuto;
    const content::Activation activation =
        mixed ? content::Activation::kNone : activation_of(spec_.activation, rows.scores, false);
    for (std::size_t i = 0; i < rows.count; ++i) {
      const std::span<const float> own = rows.scores.subspan(i * rows.score_step, rows.classes);
      scores.assign(own.begin(), own.end());
      activate(activation, scores);
      content::Detection object;
      if (one_each) {
        object.class_id = rows.numbers[i] - (spec_.background ? 1 : 0);
        object.confidence = scores[0];
      } else {
        const auto [number, score] = best(scores);
        object.class_id = number;
        object.confidence = score;
      }
      // Written so that NaN goes.
      if (object.class_id < 0 || !(object.confidence > limits.confidence) || !limits.wants(object.class_id))
        continue;
      const std::optional<content::Box> box = corners(rows.boxes.subspan(i * rows.box_step, 4), input);
      if (!box) continue;
      object.box = *box;
      out.push_back({.object = object, .anchor = static_cast<int>(i)});
    }
  }

  // The class with the highest score; below 0: none of the labels has it.
  [[nodiscard]] std::pair<int, float> best(std::span<const float> scores) const {
    const auto most = std::ranges::max_element(scores);
    const int number = static_cast<int>(most - scores.begin()) - (spec_.background ? 1 : 0);
    const bool none = spec_.labels > 0 && number >= static_cast<int>(spec_.labels);
    return {none ? -1 : number, *most};
  }

  // In pixels of the input; nothing where a number is none.
  [[nodiscard]] std::optional<content::Box> corners(std::span<const float> box,
                                                    content::PictureSize input) const {
    if (!std::ranges::all_of(box, [](float v) { return std::isfinite(v); })) return std::nullopt;
    content::Box out;
    switch (spec_.form) {
      case content::BoxForm::kCorners: out = {box[0], box[1], box[2], box[3]}; break;
      case content::BoxForm::kCornersYx: out = {box[1], box[0], box[3], box[2]}; break;
      case content::BoxForm::kCentre:
        out = {box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2};
        break;
      case content::BoxForm::kCorner: out = {box[0], box[1], box[0] + box[2], box[1] + box[3]}; break;
    }
    if (spec_.unit == content::BoxUnit::kFraction) {
      const auto width = static_cast<float>(input.width);
      const auto height = static_cast<float>(input.height);
      out = {out.x1 * width, out.y1 * height, out.x2 * width, out.y2 * height};
    }
    return out;
  }

  const BoxDetectorSpec spec_;
};

}  // namespace

std::shared_ptr<const Task> make_box_detector(BoxDetectorSpec spec) {
  return std::make_shared<BoxDetector>(std::move(spec));
}

}  // namespace bascule::tasks::vision

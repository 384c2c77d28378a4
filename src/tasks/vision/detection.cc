#include "tasks/vision/detection.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "image/decode.h"

namespace bascule::tasks::vision {
namespace {

constexpr std::size_t kRowLength = 6;
constexpr float kMaxClass = 1e6F;

int rounded_up(int side, int stride) { return (side + stride - 1) / stride * stride; }

Result<void> check_options(const content::PredictOptions& options) {
  // Written so that NaN is refused.
  if (!(options.confidence >= 0 && options.confidence <= 1)) {
    return invalid_argument(
        fmt::format("The confidence threshold is {}; give a number from 0 to 1.", options.confidence),
        Reason::kValueOutOfRange);
  }
  if (!(options.iou >= 0 && options.iou <= 1)) {
    return invalid_argument(fmt::format("The IoU threshold is {}; give a number from 0 to 1.", options.iou),
                            Reason::kValueOutOfRange);
  }
  if (options.max_detections < 1 || options.max_detections > static_cast<int>(kMaxNmsBoxes)) {
    return invalid_argument(fmt::format("At most {} detections were asked for; give a number from 1 to {}.",
                                        options.max_detections, kMaxNmsBoxes),
                            Reason::kValueOutOfRange);
  }
  return {};
}

// The one output tensor, checked to be what the loops below index.
Result<const tensor::Tensor*> find_output(const DetectionSpec& spec,
                                          std::span<const tensor::NamedTensor> outputs) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const tensor::NamedTensor& output) {
    return output.name == spec.output;
  });
  if (found == outputs.end()) {
    return internal_error(fmt::format("The model gave no output '{}'.", spec.output));
  }
  const tensor::Tensor& tensor = found->tensor;
  const bool rank = tensor.shape.size() == 3 && tensor.shape[0] == 1;
  const bool fits = rank && (spec.layout == DetectionLayout::kRaw
                                 ? tensor.shape[1] > 4
                                 : tensor.shape[2] == static_cast<std::int64_t>(kRowLength));
  if (!fits || tensor.type != tensor::DataType::kFp32) {
    return internal_error(
        fmt::format("The model's output '{}' is {} {}; a detector's is FP32 {}.", spec.output,
                    tensor::to_string(tensor.type), tensor::to_string(tensor.shape),
                    spec.layout == DetectionLayout::kRaw ? "[1, 4 + classes, anchors]" : "[1, rows, 6]"));
  }
  BASCULE_ASSIGN(const std::size_t bytes, tensor::byte_count(tensor.shape, sizeof(float)));
  if (bytes != tensor.bytes.size()) {
    return internal_error(fmt::format("The model's output '{}' has {} bytes, its shape {} says {}.",
                                      spec.output, tensor.bytes.size(), tensor::to_string(tensor.shape),
                                      bytes));
  }
  return &tensor;
}

// Rows that are sure enough, in the model's order; at most `limits.max_detections`.
void collect_rows(std::span<const float> values, const NmsLimits& limits,
                  std::vector<content::Detection>& out) {
  for (std::size_t at = 0; at < values.size() && out.size() < limits.max_detections; at += kRowLength) {
    const std::span<const float> row = values.subspan(at, kRowLength);
    const bool finite = std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); });
    if (!finite || !(row[4] > limits.confidence) || row[5] < 0 || row[5] >= kMaxClass) continue;
    out.push_back({.class_id = static_cast<int>(row[5]),
                   .confidence = row[4],
                   .box = {row[0], row[1], row[2], row[3]}});
  }
  std::stable_sort(out.begin(), out.end(), [](const content::Detection& a, const content::Detection& b) {
    return a.confidence > b.confidence;
  });
}

// From pixels of the model's input to pixels of the picture, as the reference's scale_boxes (utils/ops.py).
void scale_to_picture(const image::Letterbox& letterbox, std::vector<content::Detection>& rows) {
  const auto left = static_cast<float>(letterbox.box_left);
  const auto top = static_cast<float>(letterbox.box_top);
  const auto gain_x = static_cast<float>(letterbox.gain_x);
  const auto gain_y = static_cast<float>(letterbox.gain_y);
  const auto width = static_cast<float>(letterbox.original.width);
  const auto height = static_cast<float>(letterbox.original.height);
  for (content::Detection& row : rows) {
    row.box.x1 = std::clamp((row.box.x1 - left) / gain_x, 0.0F, width);
    row.box.y1 = std::clamp((row.box.y1 - top) / gain_y, 0.0F, height);
    row.box.x2 = std::clamp((row.box.x2 - left) / gain_x, 0.0F, width);
    row.box.y2 = std::clamp((row.box.y2 - top) / gain_y, 0.0F, height);
  }
}

class DetectionTask final : public Task {
 public:
  explicit DetectionTask(DetectionSpec spec) : spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return "detect"; }

  Result<Plan> plan(const content::EncodedPicture& picture,
                    const content::PredictOptions& options) const override {
    BASCULE_TRY(check_options(options));
    BASCULE_ASSIGN(const content::PictureSize target, input_size(options.size));
    BASCULE_ASSIGN(const image::Header header,
                   image::read_header(picture.bytes, {.max_pixels = spec_.max_pixels}));
    Plan plan;
    plan.letterbox = image::plan_letterbox(
        {.height = header.height, .width = header.width}, target,
        spec_.rectangular ? image::LetterboxMode::kRect : image::LetterboxMode::kSquare, spec_.stride);
    plan.input_shape = {1, 3, plan.letterbox.input.height, plan.letterbox.input.width};
    plan.options = options;
    return plan;
  }

  Result<void> prepare(const content::EncodedPicture& picture, const Plan& plan, Scratch& scratch,
                       std::span<float> input) const override {
    BASCULE_TRY(image::decode(picture.bytes, {.max_pixels = spec_.max_pixels}, scratch.bitmap));
    const image::Letterbox& letterbox = plan.letterbox;
    if (scratch.bitmap.height != letterbox.original.height ||
        scratch.bitmap.width != letterbox.original.width) {
      return invalid_argument(
          fmt::format("The picture says {} x {} pixels in its header and decodes to {} x {}.",
                      letterbox.original.width, letterbox.original.height, scratch.bitmap.width,
                      scratch.bitmap.height),
          Reason::kBadPicture);
    }
    BASCULE_CHECK(input.size() == std::size_t{3} * static_cast<std::size_t>(letterbox.input.height) *
                                      static_cast<std::size_t>(letterbox.input.width));
    image::letterbox_to_chw(scratch.bitmap, letterbox, scratch.letterbox, input);
    return {};
  }

  Result<content::Prediction> finish(const Plan& plan, Scratch& scratch,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    BASCULE_ASSIGN(const tensor::Tensor* const output, find_output(spec_, outputs));
    const NmsLimits limits{.confidence = static_cast<float>(plan.options.confidence),
                           .iou = static_cast<float>(plan.options.iou),
                           .max_detections = static_cast<std::size_t>(plan.options.max_detections)};
    content::Detections found{.picture = plan.letterbox.original, .rows = {}};
    const std::span<const float> values = output->elements<float>();
    if (spec_.layout == DetectionLayout::kRows) {
      collect_rows(values, limits, found.rows);
    } else {
      collect_candidates(values, static_cast<std::size_t>(output->shape[2]),
                         static_cast<std::size_t>(output->shape[1] - 4), limits.confidence, scratch.nms);
      suppress(limits, scratch.nms, found.rows);
    }
    scale_to_picture(plan.letterbox, found.rows);
    return found;
  }

 private:
  // Sides of the model's input for this request, before the picture's own proportions count.
  Result<content::PictureSize> input_size(const std::optional<content::PictureSize>& asked) const {
    if (!asked) return spec_.size;
    const int most = std::max({spec_.max_side, spec_.size.height, spec_.size.width});
    if (asked->height < 1 || asked->width < 1 || asked->height > most || asked->width > most) {
      return invalid_argument(fmt::format("A size of {} x {} was asked for; sides may be 1 to {} pixels.",
                                          asked->height, asked->width, most),
                              Reason::kValueOutOfRange);
    }
    content::PictureSize size;
    const auto fit = [this](int side, int fixed, int& out) {
      out = rounded_up(side, spec_.stride);
      if (fixed == 0) return true;
      const bool same = side == fixed || out == fixed;
      out = fixed;
      return same;
    };
    const bool height = fit(asked->height, spec_.fixed.height, size.height);
    const bool width = fit(asked->width, spec_.fixed.width, size.width);
    if (height && width) return size;
    return invalid_argument(
        fmt::format("A size of {} x {} (height x width) was asked for, but this model's input is fixed at "
                    "{} x {}; ask for that or for none.",
                    asked->height, asked->width, spec_.size.height, spec_.size.width),
        Reason::kValueOutOfRange);
  }

  DetectionSpec spec_;
};

}  // namespace

std::shared_ptr<const Task> make_detection_task(DetectionSpec spec) {
  return std::make_shared<DetectionTask>(std::move(spec));
}

}  // namespace bascule::tasks::vision

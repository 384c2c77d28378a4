#include "tasks/vision/recognise.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::tasks::vision {
namespace {

constexpr int kDefaultSide = 640;
constexpr int kDefaultStride = 32;
constexpr std::int64_t kMaxSide = 65'536;
constexpr std::int64_t kRowLength = 6;
constexpr std::int64_t kRows = 300;

[[nodiscard]] Error unsupported(std::string message) {
  return {.code = Code::kUnsupported, .message = std::move(message)};
}

// Anchors of a picture at strides 8, 16 and 32.
std::int64_t anchor_count(std::int64_t height, std::int64_t width) {
  std::int64_t sum = 0;
  for (const std::int64_t stride : {8, 16, 32}) sum += (height / stride) * (width / stride);
  return sum;
}

bool fixed_side(std::int64_t side) { return side >= 1 && side <= kMaxSide; }

std::size_t required_inputs(const backend::ModelSpec& spec) {
  std::size_t count = 0;
  for (const tensor::TensorSpec& input : spec.inputs) count += input.optional ? 0U : 1U;
  return count;
}

Result<void> check_input(const backend::ModelSpec& spec) {
  if (spec.inputs.empty() || spec.inputs.front().optional || required_inputs(spec) != 1) {
    return unsupported(fmt::format("it has {} inputs, a detector has one.", required_inputs(spec)));
  }
  const tensor::TensorSpec& input = spec.inputs.front();
  const tensor::Shape& shape = input.shape;
  const std::string seen =
      fmt::format("its input '{}' is {} {}", text::escape_controls(text::shortened(input.name)),
                  tensor::to_string(input.type), tensor::to_string(shape));
  if (input.type != tensor::DataType::kFp32) return unsupported(seen + "; only FP32 is served so far.");
  if (shape.size() != 4 || (shape[1] != 3 && shape[1] != tensor::kDynamic)) {
    return unsupported(seen + "; [N,3,height,width] was expected.");
  }
  for (const std::int64_t side : {shape[2], shape[3]}) {
    if (side != tensor::kDynamic && !fixed_side(side)) {
      return unsupported(seen + fmt::format("; sides may be 1 to {} pixels.", kMaxSide));
    }
  }
  return {};
}

// A batch that is open, of one picture, or fixed in the input and the output alike.
Result<void> check_batch(const backend::ModelSpec& spec) {
  const std::int64_t in = spec.inputs.front().shape[0];
  const std::int64_t out = spec.outputs.front().shape.empty() ? 1 : spec.outputs.front().shape[0];
  const auto usual = [](std::int64_t batch) { return batch == 1 || batch == tensor::kDynamic; };
  if ((usual(in) && usual(out)) || backend::static_batch(spec) > 0) return {};
  return unsupported(fmt::format("its input has a fixed batch of {}, its output one of {}.", in, out));
}

// Which of the layouts the first output has. The reference package decides by "end2end", embedded
// suppression, or a last dimension of 6.
Result<DetectionLayout> choose_layout(const tensor::TensorSpec& output, const ModelMetadata& metadata) {
  const tensor::Shape& shape = output.shape;
  const std::string seen =
      fmt::format("its output '{}' is {} {}", text::escape_controls(text::shortened(output.name)),
                  tensor::to_string(output.type), tensor::to_string(shape));
  if (output.type != tensor::DataType::kFp32 || shape.size() != 3) {
    return unsupported(seen + "; FP32 with three dimensions was expected.");
  }
  const bool rows = shape[2] == kRowLength || metadata.end2end || metadata.embedded_nms;
  if (rows && shape[2] != kRowLength && shape[2] != tensor::kDynamic) {
    return unsupported(seen + "; rows of six numbers were expected of a model that suppresses by itself.");
  }
  if (rows) return DetectionLayout::kRows;
  const auto classes = static_cast<std::int64_t>(metadata.class_names.size());
  const bool transposed = classes > 0 && shape[2] == 4 + classes && shape[1] != 4 + classes;
  if (metadata.head.starts_with("RTDETR") || transposed || (shape[1] >= 0 && shape[1] <= 4)) {
    return unsupported(seen + "; [N, 4 + classes, anchors] was expected.");
  }
  return DetectionLayout::kRaw;
}

content::Fact layout_fact(DetectionLayout layout, const tensor::TensorSpec& output,
                          const ModelMetadata& metadata) {
  content::Fact fact{.name = "output layout"};
  if (layout == DetectionLayout::kRaw) {
    fact.value = "raw anchors [N, 4 + classes, anchors]; overlapping boxes are suppressed by the server";
    fact.origin = fmt::format("output shape {}", tensor::to_string(output.shape));
  } else if (metadata.embedded_nms) {
    fact.value = "rows of x1, y1, x2, y2, confidence, class; the model suppresses overlaps itself";
    fact.origin = "ONNX metadata 'args': nms is True";
  } else {
    fact.value = "rows of x1, y1, x2, y2, confidence, class; nothing is left to suppress";
    fact.origin = metadata.end2end ? std::string("ONNX metadata 'end2end'")
                                   : fmt::format("output shape {}", tensor::to_string(output.shape));
  }
  return fact;
}

content::PictureSize choose_size(const tensor::Shape& input, const ModelMetadata& metadata, int stride,
                                 std::vector<content::Fact>& facts) {
  const auto fixed_height = input[2] != tensor::kDynamic;
  const auto fixed_width = input[3] != tensor::kDynamic;
  content::PictureSize size =
      metadata.picture_size.value_or(content::PictureSize{kDefaultSide, kDefaultSide});
  size.height = (size.height + stride - 1) / stride * stride;
  size.width = (size.width + stride - 1) / stride * stride;
  std::string origin = metadata.picture_size ? "ONNX metadata 'imgsz'" : "default";
  if (fixed_height) size.height = static_cast<int>(input[2]);
  if (fixed_width) size.width = static_cast<int>(input[3]);
  if (fixed_height || fixed_width) origin = fmt::format("input shape {}", tensor::to_string(input));
  facts.push_back({.name = "picture size",
                   .value = fmt::format("{} x {} (height x width)", size.height, size.width),
                   .origin = std::move(origin)});
  return size;
}

}  // namespace

Result<RecognisedDetector> recognise_detector(const backend::ModelSpec& spec, const ModelMetadata& metadata,
                                              content::LetterboxShape letterbox) {
  BASCULE_TRY(check_input(spec));
  if (spec.outputs.empty()) return unsupported("it has no output.");
  BASCULE_TRY(check_batch(spec));
  const tensor::TensorSpec& output = spec.outputs.front();
  const tensor::Shape& input = spec.inputs.front().shape;
  RecognisedDetector out;
  BASCULE_ASSIGN(out.spec.layout, choose_layout(output, metadata));
  out.facts.push_back(layout_fact(out.spec.layout, output, metadata));
  out.spec.output = output.name;
  out.spec.stride = metadata.stride > 0 ? metadata.stride : kDefaultStride;
  out.facts.push_back({.name = "stride",
                       .value = std::to_string(out.spec.stride),
                       .origin = metadata.stride > 0 ? "ONNX metadata 'stride'" : "default"});
  out.spec.size = choose_size(input, metadata, out.spec.stride, out.facts);
  const bool any_size = input[2] == tensor::kDynamic && input[3] == tensor::kDynamic;
  if (input[2] != tensor::kDynamic) out.spec.fixed.height = out.spec.size.height;
  if (input[3] != tensor::kDynamic) out.spec.fixed.width = out.spec.size.width;
  // The reference package asks whether the output's batch dimension is dynamic.
  const bool may_be_rectangular = any_size && output.shape[0] == tensor::kDynamic;
  const bool square = letterbox == content::LetterboxShape::kSquare;
  out.spec.rectangular = may_be_rectangular && !square;
  out.facts.push_back(
      {.name = "padding",
       .value =
           out.spec.rectangular ? "only up to the next multiple of the stride" : "to the full picture size",
       .origin = may_be_rectangular && square
                     ? std::string("the setting letterbox")
                     : fmt::format("input shape {}, output shape {}", tensor::to_string(input),
                                   tensor::to_string(output.shape))});
  if (out.spec.layout == DetectionLayout::kRaw && output.shape[1] > 4) {
    out.classes = static_cast<int>(std::min<std::int64_t>(output.shape[1] - 4, 1'000'000));
  }
  return out;
}

bool looks_like_detector(const backend::ModelSpec& spec) {
  if (!check_input(spec) || spec.outputs.size() != 1) return false;
  const tensor::Shape& input = spec.inputs.front().shape;
  const tensor::Shape& output = spec.outputs.front().shape;
  if (input[1] != 3 || output.size() != 3 || spec.outputs.front().type != tensor::DataType::kFp32)
    return false;
  if (output[1] == kRows && output[2] == kRowLength) return true;
  return fixed_side(input[2]) && fixed_side(input[3]) && output[1] > 4 &&
         output[2] == anchor_count(input[2], input[3]);
}

}  // namespace bascule::tasks::vision

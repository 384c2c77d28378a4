#include "tasks/vision/recognise.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/vision/classification.h"
#include "tasks/vision/detection.h"
#include "tasks/vision/pixel_maps.h"

namespace bascule::tasks::vision {
namespace {

constexpr int kDefaultSide = 640;
constexpr int kDefaultStride = 32;
constexpr std::int64_t kMaxSide = 65'536;
constexpr std::int64_t kRowLength = 6;
constexpr std::int64_t kRows = 300;
constexpr std::int64_t kMaxMore = 4096;  // numbers of one object beyond its box

struct NamedKind {
  std::string_view task;
  ObjectKind kind;
};
constexpr std::array<NamedKind, 4> kKinds = {{{"detect", ObjectKind::kBox},
                                              {"obb", ObjectKind::kRotated},
                                              {"pose", ObjectKind::kKeypoints},
                                              {"segment", ObjectKind::kMask}}};
constexpr std::string_view kClassify = "classify";
constexpr std::string_view kSemantic = "semantic";
constexpr std::string_view kDepth = "depth";

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
    return unsupported(fmt::format("it has {} inputs, one was expected.", required_inputs(spec)));
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

std::string seen_output(const tensor::TensorSpec& output) {
  return fmt::format("its output '{}' is {} {}", text::escape_controls(text::shortened(output.name)),
                     tensor::to_string(output.type), tensor::to_string(output.shape));
}

// The output of so many dimensions; it is the first, or of masks one of two.
Result<const tensor::TensorSpec*> output_of_rank(const backend::ModelSpec& spec, std::size_t rank,
                                                 std::string_view expected) {
  const auto found = std::ranges::find(spec.outputs, rank,
                                       [](const tensor::TensorSpec& output) { return output.shape.size(); });
  if (found != spec.outputs.end() && found->type == tensor::DataType::kFp32) return &*found;
  return unsupported(fmt::format("{}; {} was expected.", seen_output(spec.outputs.front()), expected));
}

// Which of the layouts the output has. The reference package decides by "end2end", embedded suppression, or a
// last dimension of 6.
Result<DetectionLayout> choose_layout(const tensor::TensorSpec& output, const ModelMetadata& metadata,
                                      int more) {
  const tensor::Shape& shape = output.shape;
  const std::int64_t length = kRowLength + more;
  const bool rows = shape[2] == kRowLength || metadata.end2end || metadata.embedded_nms;
  if (rows && shape[2] != length && shape[2] != tensor::kDynamic) {
    return unsupported(
        fmt::format("{}; rows of {} numbers were expected of a model that suppresses by itself.",
                    seen_output(output), length));
  }
  if (rows) return DetectionLayout::kRows;
  const auto classes = static_cast<std::int64_t>(metadata.class_names.size());
  const std::int64_t least = 4 + more;
  const bool transposed = classes > 0 && shape[2] == least + classes && shape[1] != least + classes;
  if (metadata.head.starts_with("RTDETR") || transposed || (shape[1] >= 0 && shape[1] <= least)) {
    return unsupported(fmt::format("{}; [N, 4 + classes{}, anchors] was expected.", seen_output(output),
                                   more == 0 ? std::string() : fmt::format(" + {}", more)));
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

// Reads one model; what was found out so far is in `out_`.
class Recogniser {
 public:
  Recogniser(const backend::ModelSpec& spec, const ModelMetadata& metadata, const TaskOptions& options)
      : spec_(spec), metadata_(metadata), options_(options) {}

  Result<Recognised> recognise(std::string_view task) {
    BASCULE_TRY(check_input(spec_));
    if (spec_.outputs.empty()) return unsupported("it has no output.");
    BASCULE_TRY(check_batch(spec_));
    const auto kind = std::ranges::find(kKinds, task, &NamedKind::task);
    if (kind != kKinds.end()) {
      BASCULE_TRY(make_detector(kind->kind));
    } else if (task == kClassify) {
      BASCULE_TRY(make_classifier());
    } else {
      BASCULE_TRY(make_pixel_map(task));
    }
    return std::move(out_);
  }

 private:
  Result<void> make_detector(ObjectKind kind) {
    DetectionSpec detector{.kind = kind};
    BASCULE_ASSIGN(const tensor::TensorSpec* const output,
                   output_of_rank(spec_, 3, "FP32 with three dimensions"));
    BASCULE_TRY(choose_more(detector));
    BASCULE_ASSIGN(detector.layout, choose_layout(*output, metadata_, detector.more));
    out_.facts.push_back(layout_fact(detector.layout, *output, metadata_));
    detector.output = output->name;
    detector.input = read_input(output->shape[0] == tensor::kDynamic, PictureFit::kLetterbox);
    if (detector.layout == DetectionLayout::kRaw && output->shape[1] > 4 + detector.more) {
      out_.classes =
          static_cast<int>(std::min<std::int64_t>(output->shape[1] - 4 - detector.more, 1'000'000));
    }
    out_.task = make_detection_task(std::move(detector));
    return {};
  }

  // How many numbers of an object follow its box, score and class, and what they are.
  Result<void> choose_more(DetectionSpec& detector) {
    if (detector.kind == ObjectKind::kRotated) detector.more = 1;
    if (detector.kind == ObjectKind::kKeypoints) {
      if (!metadata_.keypoints)
        return unsupported("its metadata does not say how many keypoints it has ('kpt_shape').");
      detector.point_size = metadata_.keypoints->numbers;
      detector.more = metadata_.keypoints->count * metadata_.keypoints->numbers;
      out_.facts.push_back(
          {.name = "keypoints",
           .value = fmt::format("{} of {} numbers", metadata_.keypoints->count, detector.point_size),
           .origin = "ONNX metadata 'kpt_shape'"});
    }
    if (detector.kind == ObjectKind::kMask) {
      BASCULE_ASSIGN(const tensor::TensorSpec* const prototypes,
                     output_of_rank(spec_, 4, "a second one, FP32 [N, channels, height, width], for masks"));
      const std::int64_t channels = prototypes->shape[1];
      if (channels < 1 || channels > kMaxMore) {
        return unsupported(
            fmt::format("{}; 1 to {} channels were expected.", seen_output(*prototypes), kMaxMore));
      }
      detector.prototypes = prototypes->name;
      detector.more = static_cast<int>(channels);
    }
    return {};
  }

  Result<void> make_classifier() {
    const tensor::TensorSpec& output = spec_.outputs.front();
    if (output.shape.size() != 2 || output.type != tensor::DataType::kFp32) {
      return unsupported(seen_output(output) + "; FP32 [N, classes] was expected.");
    }
    if (output.shape[1] > 0)
      out_.classes = static_cast<int>(std::min<std::int64_t>(output.shape[1], 1'000'000));
    ClassificationSpec classifier{.output = output.name, .input = read_input(false, PictureFit::kCentreCrop)};
    out_.task = make_classification_task(std::move(classifier));
    return {};
  }

  Result<void> make_pixel_map(std::string_view task) {
    const tensor::TensorSpec& output = spec_.outputs.front();
    const bool depth = task == kDepth;
    const bool fits = depth ? output.type == tensor::DataType::kFp32 && output.shape.size() == 4 &&
                                  (output.shape[1] == 1 || output.shape[1] == tensor::kDynamic)
                            : output.type == tensor::DataType::kUint8 && output.shape.size() == 3;
    if (!fits) {
      return unsupported(fmt::format("{}; {} was expected.", seen_output(output),
                                     depth ? "FP32 [N, 1, height, width]" : "UINT8 [N, height, width]"));
    }
    const bool any_batch = output.shape[0] == tensor::kDynamic;
    PixelMapSpec map{.output = output.name,
                     .input = read_input(any_batch, depth ? PictureFit::kStretch : PictureFit::kLetterbox)};
    out_.task = depth ? make_depth_task(std::move(map)) : make_class_map_task(std::move(map));
    return {};
  }

  // The reference package pads up to the stride only where the input's sides and the output's batch are open.
  PictureInputSpec read_input(bool any_batch, PictureFit fit) {
    const tensor::Shape& shape = spec_.inputs.front().shape;
    PictureInputSpec input{.fit = fit,
                           .max_pixels = options_.max_pixels,
                           .max_side = options_.max_input_side,
                           .decode = options_.decode};
    input.stride = metadata_.stride > 0 ? metadata_.stride : kDefaultStride;
    out_.facts.push_back({.name = "stride",
                          .value = std::to_string(input.stride),
                          .origin = metadata_.stride > 0 ? "ONNX metadata 'stride'" : "default"});
    input.size = choose_size(shape, metadata_, input.stride, out_.facts);
    if (shape[2] != tensor::kDynamic) input.fixed.height = input.size.height;
    if (shape[3] != tensor::kDynamic) input.fixed.width = input.size.width;
    out_.size = input.size;
    out_.stride = input.stride;
    if (fit != PictureFit::kLetterbox) {
      out_.facts.push_back({.name = "fit",
                            .value = fit == PictureFit::kStretch
                                         ? "stretched to the picture size"
                                         : "the shorter side fitted, the middle cut out",
                            .origin = "the task"});
      return input;
    }
    const bool may_be_rectangular = shape[2] == tensor::kDynamic && shape[3] == tensor::kDynamic && any_batch;
    const bool square = options_.letterbox == content::LetterboxShape::kSquare;
    if (may_be_rectangular && !square) input.fit = PictureFit::kRectangular;
    out_.facts.push_back(
        {.name = "padding",
         .value = input.fit == PictureFit::kRectangular ? "only up to the next multiple of the stride"
                                                        : "to the full picture size",
         .origin = may_be_rectangular && square
                       ? std::string("the setting letterbox")
                       : fmt::format("input shape {}, output shape {}", tensor::to_string(shape),
                                     tensor::to_string(spec_.outputs.front().shape))});
    return input;
  }

  const backend::ModelSpec& spec_;
  const ModelMetadata& metadata_;
  const TaskOptions& options_;
  Recognised out_;
};

}  // namespace

bool is_picture_task(std::string_view task) {
  return task == kClassify || task == kSemantic || task == kDepth ||
         std::ranges::find(kKinds, task, &NamedKind::task) != kKinds.end();
}

Result<Recognised> recognise(std::string_view task, const backend::ModelSpec& spec,
                             const ModelMetadata& metadata, const TaskOptions& options) {
  return Recogniser(spec, metadata, options).recognise(task);
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

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
#include "tasks/vision/described.h"
#include "tasks/vision/recognise.h"

namespace bascule::tasks::vision {
namespace {

using tensor::DataType;
using tensor::TensorSpec;

constexpr int kClassifierSide = 224;
constexpr int kDetectorSide = 640;
constexpr int kDetectorStride = 32;
constexpr std::int64_t kMaxSide = 65'536;
constexpr std::int64_t kMostClasses = 1'000'000;

Error unsupported(std::string message) { return {.code = Code::kUnsupported, .message = std::move(message)}; }

std::string seen(const TensorSpec& spec) {
  return fmt::format("'{}' is {} {}", text::escape_controls(text::shortened(spec.name)),
                     tensor::to_string(spec.type), tensor::to_string(spec.shape));
}

bool named_like(const TensorSpec& spec, std::string_view word) {
  return text::to_lower(spec.name).find(word) != std::string::npos;
}

// Reads one model that a description makes a classifier or a detector.
class DescribedReader {
 public:
  DescribedReader(const backend::ModelSpec& spec, const TaskOptions& options)
      : spec_(spec), options_(options), said_(options.description) {}

  Result<Recognised> read() {
    BASCULE_TRY(read_input());
    if (said_.task == content::TaskChoice::kClassify) {
      BASCULE_TRY(read_classifier());
    } else {
      BASCULE_TRY(read_detector());
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool detects() const { return said_.task == content::TaskChoice::kDetect; }

  Result<void> read_input() {
    const TensorSpec* picture = nullptr;
    for (const TensorSpec& input : spec_.inputs) {
      if (input.optional) continue;
      if (input.shape.size() == 4 && picture == nullptr) {
        picture = &input;
      } else if (detects() && input.shape.size() == 2 &&
                 (input.shape[1] == 2 || input.shape[1] == tensor::kDynamic) && input_.size_input.empty() &&
                 is_size(input.type)) {
        input_.size_input = input.name;
        input_.size_type = input.type;
      } else {
        return unsupported(
            fmt::format("its input {} is neither a picture nor a picture's size", seen(input)));
      }
    }
    if (picture == nullptr) return unsupported("it has no input of four dimensions, as pictures have");
    BASCULE_TRY(read_layout(*picture));
    input_.name = picture->name;
    input_.max_pixels = options_.max_pixels;
    input_.max_side = options_.max_input_side;
    input_.decode = options_.decode;
    read_size(*picture);
    read_fit();
    return {};
  }

  static bool is_size(DataType type) {
    return type == DataType::kInt64 || type == DataType::kInt32 || type == DataType::kFp32;
  }

  Result<void> read_layout(const TensorSpec& input) {
    PixelForm& form = input_.form;
    const auto channels = [](std::int64_t side) { return side == 3 || side == 1; };
    const tensor::Shape& shape = input.shape;
    if (input.type != DataType::kFp32 && input.type != DataType::kUint8) {
      return unsupported(fmt::format("its input {}; FP32 or UINT8 was expected", seen(input)));
    }
    form.nhwc = shape[1] != 3 && (shape[3] == 3 || (!channels(shape[1]) && channels(shape[3])));
    const std::int64_t depth = form.nhwc ? shape[3] : shape[1];
    if (!channels(depth) && depth != tensor::kDynamic) {
      return unsupported(
          fmt::format("its input {}; [N,3,height,width] or [N,height,width,3] was expected", seen(input)));
    }
    form.grey = depth == 1;
    form.type = input.type;
    form.bgr = said_.bgr && !form.grey;
    const bool bytes = form.type == DataType::kUint8;
    bool plain = !bytes && !form.nhwc && !form.grey && !form.bgr;
    for (std::size_t c = 0; c < 3; ++c) {
      // Bytes are pixels as they are.
      form.factor[c] = bytes ? 1.0F : static_cast<float>(said_.scale / said_.deviation[c]);
      form.offset[c] = bytes ? 0.0F : static_cast<float>(-said_.mean[c] / said_.deviation[c]);
      plain = plain && said_.scale == 1.0 / 255 && said_.mean[c] == 0 && said_.deviation[c] == 1;
    }
    form.plain = plain;
    fact("pixels",
         fmt::format("{} {}, {}{}",
                     form.grey  ? "grey"
                     : form.bgr ? "B, G, R"
                                : "R, G, B",
                     form.nhwc ? "last" : "in planes", bytes ? "0 to 255" : "scaled",
                     bytes || plain ? "" : ", less a mean, by a deviation"),
         "input shape and settings");
    return {};
  }

  void read_size(const TensorSpec& input) {
    const std::int64_t height = input.shape[input_.form.nhwc ? 1 : 2];
    const std::int64_t width = input.shape[input_.form.nhwc ? 2 : 3];
    input_.stride = detects() ? kDetectorStride : 1;
    const int usual = said_.size > 0 ? said_.size : detects() ? kDetectorSide : kClassifierSide;
    const auto side = [](std::int64_t fixed) {
      return fixed == tensor::kDynamic ? 0 : static_cast<int>(std::min(fixed, kMaxSide));
    };
    input_.fixed = {.height = side(height), .width = side(width)};
    input_.size = {.height = input_.fixed.height > 0 ? input_.fixed.height : usual,
                   .width = input_.fixed.width > 0 ? input_.fixed.width : usual};
    out_.size = input_.size;
    out_.stride = input_.stride;
    fact("picture size", fmt::format("{} x {} (height x width)", input_.size.height, input_.size.width),
         input_.fixed.height > 0 ? fmt::format("input shape {}", tensor::to_string(input.shape))
         : said_.size > 0        ? "the setting size"
                                 : "default");
  }

  void read_fit() {
    content::FitChoice fit = said_.fit;
    if (fit == content::FitChoice::kAuto)
      fit = detects() ? content::FitChoice::kStretch : content::FitChoice::kCrop;
    std::string how;
    switch (fit) {
      case content::FitChoice::kLetterbox:
        input_.fit = PictureFit::kLetterbox;
        how = "its aspect kept, padded to the picture size";
        break;
      case content::FitChoice::kCrop:
        input_.fit = PictureFit::kCentreCrop;
        input_.shorter = said_.resize;
        how = said_.resize > 0
                  ? fmt::format("the shorter side brought to {}, the middle cut out", said_.resize)
                  : "the shorter side fitted, the middle cut out";
        break;
      default: input_.fit = PictureFit::kStretch; how = "stretched to the picture size";
    }
    fact("fit", std::move(how), said_.fit == content::FitChoice::kAuto ? "the task" : "the setting fit");
  }

  Result<void> read_classifier() {
    const auto fits = [](const TensorSpec& output) {
      return output.type == DataType::kFp32 && output.shape.size() >= 2 && output.shape[1] != 1;
    };
    const auto found = std::ranges::find_if(spec_.outputs, [&](const TensorSpec& output) {
      return said_.scores.empty() ? fits(output) : output.name == said_.scores;
    });
    if (found == spec_.outputs.end()) {
      return said_.scores.empty() ? unsupported("it has no output of FP32 [N, classes]")
                                  : unsupported(fmt::format("it has no output '{}', which scores names",
                                                            text::shortened(said_.scores)));
    }
    if (!fits(*found))
      return unsupported(fmt::format("its output {}; FP32 [N, classes] was expected", seen(*found)));
    BASCULE_TRY(count_classes(found->shape[1]));
    out_.task = make_classification_task({.output = found->name,
                                          .activation = said_.activation,
                                          .background = said_.background,
                                          .input = input_});
    return {};
  }

  // Labels must be as many as the classes; DETR has one more, which is none.
  Result<void> count_classes(std::int64_t scores) {
    if (scores == tensor::kDynamic) return {};
    const std::int64_t classes = scores - (said_.background ? 1 : 0);
    const auto labels = static_cast<std::int64_t>(said_.labels.size());
    const bool one_more = detects() && !said_.background && classes == labels + 1;
    if (labels > 0 && labels != classes && !one_more) {
      return unsupported(fmt::format("there are {} labels, and the model tells {} classes{}", labels, classes,
                                     said_.background ? " beside the background" : ""));
    }
    out_.classes = static_cast<int>(std::min(classes, kMostClasses));
    return {};
  }

  // An output by its name; or, where none is said, the first that fits.
  template <class Fits>
  Result<const TensorSpec*> pick(const std::string& name, std::string_view setting, const Fits& fits) const {
    for (const TensorSpec& output : spec_.outputs) {
      if (name.empty() ? fits(output) : output.name == name) return &output;
    }
    if (name.empty()) return nullptr;
    return unsupported(fmt::format("it has no output '{}', which {} names", text::shortened(name), setting));
  }

  Result<void> read_detector() {
    BoxDetectorSpec detector{.form = said_.box_form,
                             .unit = said_.box_unit,
                             .activation = said_.activation,
                             .background = said_.background,
                             .suppress = said_.suppress,
                             .labels = said_.labels.size(),
                             .input = input_};
    const auto rank = [](const TensorSpec& output) { return output.shape.size(); };
    const auto is_boxes = [&](const TensorSpec& output) {
      return output.type == DataType::kFp32 && (rank(output) == 2 || rank(output) == 3) &&
             output.shape.back() == 4 && !named_like(output, "score") && !named_like(output, "logit");
    };
    BASCULE_ASSIGN(const TensorSpec* boxes, pick(said_.boxes, "boxes", is_boxes));
    if (boxes == nullptr && spec_.outputs.size() == 1 && rank(spec_.outputs[0]) == 3)
      boxes = &spec_.outputs[0];
    if (boxes == nullptr)
      return unsupported("none of its outputs is FP32 [N, count, 4]; name one with boxes");
    detector.boxes = boxes->name;
    if (boxes->shape.back() != 4) {  // scores follow the box
      BASCULE_TRY(count_classes(boxes->shape.back() == tensor::kDynamic ? tensor::kDynamic
                                                                        : boxes->shape.back() - 4));
    } else {
      BASCULE_TRY(read_scores(*boxes, detector));
    }
    fact("output layout",
         fmt::format(
             "boxes '{}', scores {}, classes {}", text::shortened(detector.boxes),
             detector.scores.empty() ? "behind each box" : "'" + text::shortened(detector.scores) + "'",
             detector.classes.empty() ? "the best score's" : "'" + text::shortened(detector.classes) + "'"),
         "output shapes and settings");
    out_.task = make_box_detector(std::move(detector));
    return {};
  }

  Result<void> read_scores(const TensorSpec& boxes, BoxDetectorSpec& detector) {
    const std::size_t rank = boxes.shape.size();
    const auto is_class = [&](const TensorSpec& output) {
      return output.shape.size() == rank - 1 &&
             (named_like(output, "class") || named_like(output, "label")) && !named_like(output, "score");
    };
    const auto is_scores = [&](const TensorSpec& output) {
      return output.name != boxes.name && output.type == DataType::kFp32 && !is_class(output) &&
             (output.shape.size() == rank || output.shape.size() == rank - 1) &&
             !(rank == 3 && output.shape.size() == 1);
    };
    BASCULE_ASSIGN(const TensorSpec* const scores, pick(said_.scores, "scores", is_scores));
    if (scores == nullptr) {
      return unsupported(
          "none of its outputs is FP32 [N, count] or [N, count, classes]; name one with scores");
    }
    detector.scores = scores->name;
    if (scores->shape.size() == rank) return count_classes(scores->shape.back());
    const auto other = [&](const TensorSpec& output) {
      return is_class(output) && output.name != scores->name;
    };
    BASCULE_ASSIGN(const TensorSpec* const classes, pick(said_.classes, "classes", other));
    if (classes == nullptr) return unsupported("none of its outputs tells classes; name one with classes");
    detector.classes = classes->name;
    return {};
  }

  void fact(std::string name, std::string value, std::string origin) {
    out_.facts.push_back({.name = std::move(name), .value = std::move(value), .origin = std::move(origin)});
  }

  const backend::ModelSpec& spec_;
  const TaskOptions& options_;
  const content::ModelDescription& said_;
  PictureInputSpec input_;
  Recognised out_;
};

}  // namespace

Result<Recognised> recognise_described(const backend::ModelSpec& spec, const TaskOptions& options) {
  return DescribedReader(spec, options).read();
}

}  // namespace bascule::tasks::vision

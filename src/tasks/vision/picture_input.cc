#include "tasks/vision/picture_input.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "image/decode.h"
#include "tasks/vision/nms.h"

namespace bascule::tasks::vision {
namespace {

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

image::Letterbox fitted(PictureFit fit, content::PictureSize original, content::PictureSize target,
                        int stride) {
  switch (fit) {
    case PictureFit::kStretch: return plan_stretch(original, target);
    case PictureFit::kCentreCrop: return {.original = original, .resized = target, .input = target};
    case PictureFit::kRectangular:
      return image::plan_letterbox(original, target, image::LetterboxMode::kRect, stride);
    case PictureFit::kLetterbox: break;
  }
  return image::plan_letterbox(original, target, image::LetterboxMode::kSquare, stride);
}

}  // namespace

image::Letterbox plan_stretch(content::PictureSize original, content::PictureSize input) {
  return {.original = original,
          .resized = input,
          .input = input,
          .gain_y = static_cast<double>(input.height) / original.height,
          .gain_x = static_cast<double>(input.width) / original.width};
}

Result<Plan> PictureTask::plan(const content::EncodedPicture& picture,
                               const content::PredictOptions& options) const {
  BASCULE_TRY(check_options(options));
  BASCULE_ASSIGN(const content::PictureSize target, input_size(options.size));
  BASCULE_ASSIGN(const image::Header header,
                 image::read_header(picture.bytes, {.max_pixels = input_.max_pixels}));
  Plan plan;
  plan.letterbox =
      fitted(input_.fit, {.height = header.height, .width = header.width}, target, input_.stride);
  plan.input_shape = {1, 3, plan.letterbox.input.height, plan.letterbox.input.width};
  plan.options = options;
  return plan;
}

Result<void> PictureTask::prepare(const content::EncodedPicture& picture, const Plan& plan, Scratch& scratch,
                                  std::span<float> input) const {
  BASCULE_TRY(image::decode(picture.bytes, {.max_pixels = input_.max_pixels}, scratch.bitmap));
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
  if (input_.fit == PictureFit::kCentreCrop) {
    image::centre_crop_to_chw(scratch.bitmap, image::plan_centre_crop(letterbox.original, letterbox.input),
                              scratch.crop, input);
  } else {
    image::letterbox_to_chw(scratch.bitmap, letterbox, scratch.letterbox, input);
  }
  return {};
}

Result<content::PictureSize> PictureTask::input_size(const std::optional<content::PictureSize>& asked) const {
  if (!asked) return input_.size;
  const int most = std::max({input_.max_side, input_.size.height, input_.size.width});
  if (asked->height < 1 || asked->width < 1 || asked->height > most || asked->width > most) {
    return invalid_argument(fmt::format("A size of {} x {} was asked for; sides may be 1 to {} pixels.",
                                        asked->height, asked->width, most),
                            Reason::kValueOutOfRange);
  }
  content::PictureSize size;
  const auto fit = [this](int side, int fixed, int& out) {
    out = rounded_up(side, input_.stride);
    if (fixed == 0) return true;
    const bool same = side == fixed || out == fixed;
    out = fixed;
    return same;
  };
  const bool height = fit(asked->height, input_.fixed.height, size.height);
  const bool width = fit(asked->width, input_.fixed.width, size.width);
  if (height && width) return size;
  return invalid_argument(
      fmt::format("A size of {} x {} (height x width) was asked for, but this model's input is fixed at "
                  "{} x {}; ask for that or for none.",
                  asked->height, asked->width, input_.size.height, input_.size.width),
      Reason::kValueOutOfRange);
}

}  // namespace bascule::tasks::vision

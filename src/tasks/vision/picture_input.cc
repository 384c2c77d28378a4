#include "tasks/vision/picture_input.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

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

// Width, then height, as the exporters of RT-DETR have it.
Result<tensor::Tensor> size_tensor(tensor::DataType type, content::PictureSize size) {
  if (type == tensor::DataType::kFp32) {
    const std::array<float, 2> sides = {static_cast<float>(size.width), static_cast<float>(size.height)};
    return tensor::copy_tensor<float>(type, {1, 2}, sides);
  }
  if (type == tensor::DataType::kInt32) {
    const std::array<std::int32_t, 2> sides = {size.width, size.height};
    return tensor::copy_tensor<std::int32_t>(type, {1, 2}, sides);
  }
  const std::array<std::int64_t, 2> sides = {size.width, size.height};
  return tensor::copy_tensor<std::int64_t>(type, {1, 2}, sides);
}

template <class T>
void write_as(std::span<const float> planes, const PixelForm& form, std::span<std::byte> out) {
  const std::size_t pixels = planes.size() / 3;
  const std::size_t channels = form.grey ? 1 : 3;
  T* const to = reinterpret_cast<T*>(out.data());
  BASCULE_CHECK(out.size() == channels * pixels * sizeof(T));
  for (std::size_t c = 0; c < channels; ++c) {
    const float* const plane = planes.data() + (form.bgr ? 2 - c : c) * pixels;
    const float factor = form.factor[c] * 255;  // planes hold parts of 255
    const float offset = form.offset[c];
    const std::size_t step = form.nhwc ? channels : 1;
    T* at = to + (form.nhwc ? c : c * pixels);
    for (std::size_t i = 0; i < pixels; ++i, at += step) {
      // ITU-R BT.601, as everyone's grey.
      const float pixel =
          form.grey ? 0.299F * planes[i] + 0.587F * planes[pixels + i] + 0.114F * planes[2 * pixels + i]
                    : plane[i];
      const float value = pixel * factor + offset;
      if constexpr (std::is_same_v<T, float>) {
        *at = value;
      } else {
        *at = static_cast<T>(std::clamp(std::nearbyint(value), 0.0F, 255.0F));
      }
    }
  }
}

// Planes R, G, B in [0, 1] as the model wants them.
void write_pixels(std::span<const float> planes, const PixelForm& form, std::span<std::byte> out) {
  if (form.type == tensor::DataType::kUint8) {
    write_as<std::uint8_t>(planes, form, out);
  } else {
    write_as<float>(planes, form, out);
  }
}

Error too_many_pixels(const content::PictureSize& size, std::uint64_t limit) {
  const std::uint64_t pixels =
      static_cast<std::uint64_t>(size.height) * static_cast<std::uint64_t>(size.width);
  return {.code = Code::kPayloadTooLarge,
          .message = fmt::format("The frame has {} x {} = {} pixels; the limit is {}.", size.width,
                                 size.height, pixels, limit),
          .reason = Reason::kBadPicture,
          .fields = {.got = std::to_string(pixels), .limit = std::to_string(limit)}};
}

// Of a picture's header, or of a frame, whose bytes are as many as its size says.
Result<content::PictureSize> size_of(const content::EncodedPicture& picture, std::uint64_t max_pixels) {
  if (!picture.raw) {
    BASCULE_ASSIGN(const image::Header header, image::read_header(picture.bytes, {.max_pixels = max_pixels}));
    return content::PictureSize{.height = header.height, .width = header.width};
  }
  BASCULE_CHECK(picture.raw->height > 0 && picture.raw->width > 0);
  const std::uint64_t pixels =
      static_cast<std::uint64_t>(picture.raw->height) * static_cast<std::uint64_t>(picture.raw->width);
  BASCULE_CHECK(picture.bytes.size() == pixels * 3);
  if (pixels > max_pixels) return too_many_pixels(*picture.raw, max_pixels);
  return *picture.raw;
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

Result<void> read_pixels(const content::EncodedPicture& picture, std::uint64_t max_pixels,
                         image::Bitmap& out) {
  if (!picture.raw) return image::decode(picture.bytes, {.max_pixels = max_pixels}, out);
  const auto* const first = reinterpret_cast<const std::uint8_t*>(picture.bytes.data());
  out.height = picture.raw->height;
  out.width = picture.raw->width;
  out.pixels.assign(first, first + picture.bytes.size());
  return {};
}

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
  BASCULE_ASSIGN(const content::PictureSize original, size_of(picture, input_.max_pixels));
  Plan plan;
  const auto middle = options.judged_input ? judged(original, target, *options.judged_input) : std::nullopt;
  plan.letterbox = middle ? *middle : fitted(input_.fit, original, target, input_.stride);
  const PixelForm& form = input_.form;
  const content::PictureSize size = plan.letterbox.input;
  const std::int64_t channels = form.grey ? 1 : 3;
  plan.input_shape = form.nhwc ? tensor::Shape{1, size.height, size.width, channels}
                               : tensor::Shape{1, channels, size.height, size.width};
  plan.input_type = form.type;
  plan.input = input_.name;
  if (!input_.size_input.empty()) {
    BASCULE_ASSIGN(tensor::Tensor sides, size_tensor(input_.size_type, size));
    plan.beside.push_back({.name = input_.size_input, .tensor = std::move(sides)});
  }
  plan.options = options;
  return plan;
}

std::optional<image::Letterbox> PictureTask::judged(content::PictureSize original,
                                                    content::PictureSize target,
                                                    content::PictureSize input) const {
  const auto fits = [&](int side, int fixed) {
    return fixed > 0 ? side == fixed : side > 0 && side % input_.stride == 0;
  };
  const bool whole = input_.fit == PictureFit::kLetterbox || input_.fit == PictureFit::kRectangular;
  if (!whole || target.height != target.width || !fits(input.height, input_.fixed.height) ||
      !fits(input.width, input_.fixed.width)) {
    return std::nullopt;
  }
  const double ratio = static_cast<double>(target.height) / std::max(original.height, original.width);
  if (original.height * ratio > input.height || original.width * ratio > input.width ||
      std::max(input.height, input.width) > target.height + input_.stride) {
    return std::nullopt;
  }
  return image::plan_in_the_middle(original, target.height, input);
}

// A frame of a video is decoded already.
Result<image::Extent> PictureTask::decode(const content::EncodedPicture& picture,
                                          content::PictureSize resized, const image::Letterbox& letterbox,
                                          image::Bitmap& out) const {
  if (!picture.raw && input_.decode == content::DecodeMode::kFast)
    return image::decode_at_least(picture.bytes, {.max_pixels = input_.max_pixels}, resized, out);
  BASCULE_TRY(read_pixels(picture, input_.max_pixels, out));
  if (out.height != letterbox.original.height || out.width != letterbox.original.width) {
    return invalid_argument(
        fmt::format("The picture says {} x {} pixels in its header and decodes to {} x {}.",
                    letterbox.original.width, letterbox.original.height, out.width, out.height),
        Reason::kBadPicture);
  }
  return image::whole_of(out);
}

Result<void> PictureTask::prepare(const content::EncodedPicture& picture, const Plan& plan, Scratch& scratch,
                                  std::span<std::byte> input) const {
  const image::Letterbox& letterbox = plan.letterbox;
  const std::size_t pixels =
      static_cast<std::size_t>(letterbox.input.height) * static_cast<std::size_t>(letterbox.input.width);
  const bool direct = input_.form.plain;
  if (!direct) scratch.planes.resize(3 * pixels);
  const std::span<float> planes =
      direct ? std::span(reinterpret_cast<float*>(input.data()), input.size() / sizeof(float))
             : scratch.planes;
  BASCULE_CHECK(planes.size() == 3 * pixels);
  if (input_.fit == PictureFit::kCentreCrop) {
    const image::CentreCrop crop =
        image::plan_centre_crop(letterbox.original, letterbox.input, input_.shorter);
    BASCULE_ASSIGN(const image::Extent extent, decode(picture, crop.resized, letterbox, scratch.bitmap));
    image::centre_crop_to_chw(scratch.bitmap, extent, crop, scratch.crop, planes);
  } else {
    BASCULE_ASSIGN(const image::Extent extent, decode(picture, letterbox.resized, letterbox, scratch.bitmap));
    image::letterbox_to_chw(scratch.bitmap, extent, letterbox, scratch.letterbox, planes);
  }
  if (!direct) write_pixels(planes, input_.form, input);
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

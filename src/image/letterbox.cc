#include "image/letterbox.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "image/resize.h"
#include "image/row_kernels.h"

namespace bascule::image {
namespace {

constexpr std::size_t kChannels = 3;

// Python's round: half to even, which is what nearbyint does in the default rounding mode.
int python_round(double value) { return static_cast<int>(std::nearbyint(value)); }

int scaled_side(int side, double ratio) { return std::max(python_round(side * ratio), 1); }

double fit_ratio(content::PictureSize original, content::PictureSize into) {
  return std::min(static_cast<double>(into.height) / original.height,
                  static_cast<double>(into.width) / original.width);
}

int padding_before(int free) { return python_round(free / 2.0 - 0.1); }
int padding_after(int free) { return python_round(free / 2.0 + 0.1); }

// The picture's place in the three planes.
struct Window {
  float* plane[kChannels];  // at the picture's first value
  std::size_t stride;

  [[nodiscard]] PlaneRows row(int y) const {
    const std::size_t at = stride * static_cast<std::size_t>(y);
    return {{plane[0] + at, plane[1] + at, plane[2] + at}};
  }
};

std::span<const std::uint8_t> row_span(const Bitmap& bitmap, int y) {
  return {bitmap.row(y), bitmap.row_bytes()};
}

void write_scaled(const Bitmap& bitmap, const Extent& extent, content::PictureSize size,
                  ResizeScratch& scratch, const Window& window) {
  RowSource source(bitmap, extent, size, scratch);
  const auto width = static_cast<std::size_t>(size.width);
  for (int y = 0; y < size.height; ++y) {
    const RowSource::Rows rows = source.at(y);
    const PlaneRows to = window.row(y);
    for (std::size_t c = 0; c < kChannels; ++c) {
      row_kernels().blend(rows.upper + c * width, rows.lower + c * width, rows.tap.weight_first,
                          rows.tap.weight_second, {to.plane[c], width});
    }
  }
}

void write_picture(const Bitmap& bitmap, const Extent& extent, content::PictureSize size,
                   ResizeScratch& scratch, const Window& window) {
  const auto width = static_cast<std::size_t>(size.width);
  if (extent.height == size.height && extent.width == size.width) {  // whole sides: nothing is left over
    for (int y = 0; y < size.height; ++y) row_kernels().copy(row_span(bitmap, y), width, window.row(y));
  } else if (is_exact_half(extent, size)) {
    for (int y = 0; y < size.height; ++y) {
      row_kernels().halve(row_span(bitmap, 2 * y), row_span(bitmap, 2 * y + 1), width, window.row(y));
    }
  } else {
    write_scaled(bitmap, extent, size, scratch, window);
  }
}

// Fills what lies around the picture in one plane.
void write_border(const Letterbox& plan, float* plane) {
  const float value = unit_value(kPadding);
  const auto width = static_cast<std::size_t>(plan.input.width);
  const auto left = static_cast<std::size_t>(plan.left);
  const auto middle = static_cast<std::size_t>(plan.resized.width);
  const int below = plan.top + plan.resized.height;
  std::fill_n(plane, width * static_cast<std::size_t>(plan.top), value);
  std::fill_n(plane + width * static_cast<std::size_t>(below),
              width * static_cast<std::size_t>(plan.input.height - below), value);
  for (int y = plan.top; y < below; ++y) {
    float* row = plane + width * static_cast<std::size_t>(y);
    std::fill_n(row, left, value);
    std::fill_n(row + left + middle, width - left - middle, value);
  }
}

}  // namespace

Letterbox plan_letterbox(content::PictureSize original, content::PictureSize target, LetterboxMode mode,
                         int stride) {
  BASCULE_CHECK(original.height > 0 && original.width > 0 && target.height > 0 && target.width > 0);
  BASCULE_CHECK(stride > 0);
  Letterbox plan;
  plan.original = original;
  const double ratio = fit_ratio(original, target);
  plan.resized = {scaled_side(original.height, ratio), scaled_side(original.width, ratio)};
  int free_height = target.height - plan.resized.height;
  int free_width = target.width - plan.resized.width;
  if (mode == LetterboxMode::kRect) {
    free_height %= stride;
    free_width %= stride;
  }
  plan.top = padding_before(free_height);
  plan.left = padding_before(free_width);
  plan.input = {plan.resized.height + plan.top + padding_after(free_height),
                plan.resized.width + plan.left + padding_after(free_width)};

  // scale_boxes does not know the plan: it works the sizes out again from those of the input, which for thin
  // pictures in rect mode gives slightly other ones.
  const double back = fit_ratio(original, plan.input);
  const int back_height = scaled_side(original.height, back);
  const int back_width = scaled_side(original.width, back);
  plan.gain_y = static_cast<double>(back_height) / original.height;
  plan.gain_x = static_cast<double>(back_width) / original.width;
  plan.box_top = padding_before(plan.input.height - back_height);
  plan.box_left = padding_before(plan.input.width - back_width);
  return plan;
}

Letterbox plan_in_the_middle(content::PictureSize original, int longer, content::PictureSize input) {
  BASCULE_CHECK(original.height > 0 && original.width > 0 && longer > 0);
  const double ratio = static_cast<double>(longer) / std::max(original.height, original.width);
  const auto scaled = [&](int side) {
    return std::clamp(static_cast<int>(std::ceil(side * ratio)), 1, longer);
  };
  Letterbox plan{
      .original = original, .resized = {scaled(original.height), scaled(original.width)}, .input = input};
  BASCULE_CHECK(plan.resized.height <= input.height && plan.resized.width <= input.width);
  plan.top = padding_before(input.height - plan.resized.height);
  plan.left = padding_before(input.width - plan.resized.width);
  plan.box_top = plan.top;
  plan.box_left = plan.left;
  plan.gain_y = static_cast<double>(plan.resized.height) / original.height;
  plan.gain_x = static_cast<double>(plan.resized.width) / original.width;
  return plan;
}

void letterbox_to_chw(const Bitmap& bitmap, const Letterbox& plan, LetterboxScratch& scratch,
                      std::span<float> out) {
  BASCULE_CHECK(bitmap.height == plan.original.height && bitmap.width == plan.original.width);
  letterbox_to_chw(bitmap, whole_of(bitmap), plan, scratch, out);
}

void letterbox_to_chw(const Bitmap& bitmap, const Extent& extent, const Letterbox& plan,
                      LetterboxScratch& scratch, std::span<float> out) {
  const std::size_t plane_size =
      static_cast<std::size_t>(plan.input.height) * static_cast<std::size_t>(plan.input.width);
  BASCULE_CHECK(out.size() == kChannels * plane_size);
  BASCULE_CHECK(extent.height > 0 && extent.top + extent.height <= bitmap.height);
  BASCULE_CHECK(extent.width > 0 && extent.left + extent.width <= bitmap.width);
  Window window{{}, static_cast<std::size_t>(plan.input.width)};
  for (std::size_t c = 0; c < kChannels; ++c) {
    float* plane = out.data() + c * plane_size;
    write_border(plan, plane);
    window.plane[c] =
        plane + static_cast<std::size_t>(plan.top) * window.stride + static_cast<std::size_t>(plan.left);
  }
  write_picture(bitmap, extent, plan.resized, scratch, window);
}

}  // namespace bascule::image

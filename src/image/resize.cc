#include "image/resize.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "image/letterbox.h"
#include "image/row_kernels.h"

namespace bascule::image {
namespace {

constexpr float kWeightOne = 2048.0F;
constexpr std::size_t kChannels = 3;

std::span<const std::uint8_t> row_span(const Bitmap& bitmap, int y) {
  return {bitmap.row(y), bitmap.row_bytes()};
}

// How one axis goes from `from` to `to` places. With `fold_edges`, places outside give the edge its whole
// weight (OpenCV's columns); without, both taps fall on the edge and keep their weights (OpenCV's rows): the
// roundings differ. The picture lies from `begin` on for `length` of the `from` places.
struct Axis {
  int from;
  double begin;
  double length;
};
void plan_axis(const Axis& axis, bool fold_edges, std::span<LinearTap> taps) {
  const int from = axis.from;
  const auto to = static_cast<int>(taps.size());
  // The same doubles and floats in the same order as OpenCV: one rounding elsewhere is one level elsewhere.
  const double scale = 1.0 / (static_cast<double>(to) / axis.length);
  for (int i = 0; i < to; ++i) {
    auto fraction = static_cast<float>((i + 0.5) * scale - 0.5 + axis.begin);
    auto place = static_cast<int>(std::floor(fraction));
    fraction -= static_cast<float>(place);
    if (fold_edges && (place < 0 || place >= from - 1)) {
      fraction = 0;
      place = place < 0 ? 0 : from - 1;
    }
    LinearTap& tap = taps[static_cast<std::size_t>(i)];
    tap.first = std::clamp(place, 0, from - 1);
    tap.second = std::clamp(place + 1, 0, from - 1);
    tap.weight_first = static_cast<std::int16_t>(std::nearbyint((1.0F - fraction) * kWeightOne));
    tap.weight_second = static_cast<std::int16_t>(std::nearbyint(fraction * kWeightOne));
  }
}

void halve(const Bitmap& bitmap, Bitmap& out) {
  for (int y = 0; y < out.height; ++y) {
    const std::uint8_t* upper = bitmap.row(2 * y);
    const std::uint8_t* lower = bitmap.row(2 * y + 1);
    std::uint8_t* to = out.row(y);
    for (std::size_t i = 0; i < out.row_bytes(); ++i) {
      const std::size_t from = i / kChannels * 2 * kChannels + i % kChannels;
      to[i] = static_cast<std::uint8_t>(halve_value(upper + from, lower + from));
    }
  }
}

}  // namespace

bool is_exact_half(const Extent& extent, content::PictureSize size) {
  return extent.width == 2.0 * size.width && extent.height == 2.0 * size.height;
}

RowSource::RowSource(const Bitmap& bitmap, const Extent& extent, content::PictureSize size,
                     ResizeScratch& scratch)
    : bitmap_(bitmap), width_(static_cast<std::size_t>(size.width)), scratch_(scratch) {
  scratch.rows.resize(static_cast<std::size_t>(size.height));
  scratch.lines.resize(width_ * kChannels * 2);
  plan_axis({bitmap.height, extent.top, extent.height}, false, scratch.rows);
  plan_columns(extent);
}

// As the kernels want it: every tap's right pixel is its left one's neighbour.
void RowSource::plan_columns(const Extent& extent) {
  scratch_.taps.resize(width_);
  scratch_.column_offsets.resize(width_);
  scratch_.column_weights.resize(width_);
  plan_axis({bitmap_.width, extent.left, extent.width}, true, scratch_.taps);
  for (std::size_t x = 0; x < width_; ++x) {
    LinearTap tap = scratch_.taps[x];
    if (tap.first == bitmap_.width - 1 && tap.first > 0) {  // the whole weight on the last pixel
      --tap.first;
      std::swap(tap.weight_first, tap.weight_second);
    }
    scratch_.column_offsets[x] = tap.first * static_cast<std::int32_t>(kChannels);
    scratch_.column_weights[x] = tap.weight_first | tap.weight_second << 16;
  }
}

const std::int16_t* RowSource::line(int source_row, int keep_slot) {
  const std::size_t size = width_ * kChannels;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (slot_row_[slot] == source_row) return scratch_.lines.data() + size * slot;
  }
  const std::size_t slot = keep_slot == 0 ? 1 : 0;
  std::int16_t* out = scratch_.lines.data() + size * slot;
  const Columns columns{scratch_.column_offsets, scratch_.column_weights, bitmap_.width > 1 ? kChannels : 0};
  row_kernels().scale(row_span(bitmap_, source_row), columns, out);
  slot_row_[slot] = source_row;
  return out;
}

RowSource::Rows RowSource::at(int y) {
  const LinearTap tap = scratch_.rows[static_cast<std::size_t>(y)];
  // A row that the other tap needs must not be overwritten.
  const int lower_slot = slot_row_[0] == tap.second ? 0 : slot_row_[1] == tap.second ? 1 : -1;
  const std::int16_t* upper = line(tap.first, lower_slot);
  const int upper_slot = slot_row_[0] == tap.first ? 0 : 1;
  const std::int16_t* lower = line(tap.second, upper_slot);
  return {upper, lower, tap};
}

Bitmap resize_linear(const Bitmap& bitmap, int height, int width) {
  BASCULE_CHECK(height > 0 && width > 0 && bitmap.height > 0 && bitmap.width > 0);
  if (bitmap.height == height && bitmap.width == width) return bitmap;
  Bitmap out;
  out.height = height;
  out.width = width;
  out.pixels.resize(out.row_bytes() * static_cast<std::size_t>(height));
  if (is_exact_half(whole_of(bitmap), {height, width})) {
    halve(bitmap, out);
    return out;
  }
  ResizeScratch scratch;
  RowSource source(bitmap, whole_of(bitmap), {height, width}, scratch);
  const auto columns = static_cast<std::size_t>(width);
  for (int y = 0; y < height; ++y) {
    const RowSource::Rows rows = source.at(y);
    std::uint8_t* to = out.row(y);
    for (std::size_t i = 0; i < out.row_bytes(); ++i) {
      const std::size_t from = i % kChannels * columns + i / kChannels;
      to[i] = static_cast<std::uint8_t>(
          blend_value(rows.upper[from], rows.lower[from], rows.tap.weight_first, rows.tap.weight_second));
    }
  }
  return out;
}

}  // namespace bascule::image

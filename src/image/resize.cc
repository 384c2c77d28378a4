#include "image/resize.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "image/letterbox.h"

namespace bascule::image {
namespace {

constexpr float kWeightOne = 2048.0F;
constexpr int kChannels = 3;

// Horizontal pass over one row; values in 1/128, so that they fit 16 bits as the vertical pass wants them.
void scale_row(const std::uint8_t* row, std::span<const LinearTap> columns, std::int16_t* out) {
  const std::size_t width = columns.size();
  for (std::size_t x = 0; x < width; ++x) {
    const LinearTap& tap = columns[x];
    const std::uint8_t* first = row + tap.first;
    const std::uint8_t* second = row + tap.second;
    for (std::size_t c = 0; c < kChannels; ++c) {
      const int sum = first[c] * tap.weight_first + second[c] * tap.weight_second;
      out[c * width + x] = static_cast<std::int16_t>(sum >> 4);
    }
  }
}

}  // namespace

void plan_axis(int from, int to, bool fold_edges, std::span<LinearTap> taps) {
  // The same doubles and floats in the same order as OpenCV: one rounding elsewhere is one level elsewhere.
  const double scale = 1.0 / (static_cast<double>(to) / from);
  for (int i = 0; i < to; ++i) {
    auto fraction = static_cast<float>((i + 0.5) * scale - 0.5);
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

bool is_exact_half(const Bitmap& bitmap, int height, int width) {
  return bitmap.width == 2 * width && bitmap.height == 2 * height;
}

RowSource::RowSource(const Bitmap& bitmap, int height, int width, ResizeScratch& scratch)
    : bitmap_(bitmap), width_(width), scratch_(scratch) {
  scratch.columns.resize(static_cast<std::size_t>(width));
  scratch.rows.resize(static_cast<std::size_t>(height));
  scratch.lines.resize(static_cast<std::size_t>(width) * kChannels * 2);
  plan_axis(bitmap.width, width, true, scratch.columns);
  for (LinearTap& tap : scratch.columns) {  // bytes, not pixels
    tap.first *= kChannels;
    tap.second *= kChannels;
  }
  plan_axis(bitmap.height, height, false, scratch.rows);
}

const std::int16_t* RowSource::line(int source_row, int keep_slot) {
  const std::size_t size = static_cast<std::size_t>(width_) * kChannels;
  for (int slot = 0; slot < 2; ++slot) {
    if (slot_row_[slot] == source_row) return scratch_.lines.data() + size * static_cast<std::size_t>(slot);
  }
  const int slot = keep_slot == 0 ? 1 : 0;
  std::int16_t* out = scratch_.lines.data() + size * static_cast<std::size_t>(slot);
  scale_row(bitmap_.row(source_row), scratch_.columns, out);
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
  const auto columns = static_cast<std::size_t>(width);
  if (is_exact_half(bitmap, height, width)) {
    for (int y = 0; y < height; ++y) {
      const std::uint8_t* upper = bitmap.row(2 * y);
      const std::uint8_t* lower = bitmap.row(2 * y + 1);
      std::uint8_t* to = out.row(y);
      for (std::size_t x = 0; x < columns; ++x) {
        for (std::size_t c = 0; c < kChannels; ++c) {
          to[kChannels * x + c] = static_cast<std::uint8_t>(blend_half(upper, lower, 2 * kChannels * x + c));
        }
      }
    }
    return out;
  }
  ResizeScratch scratch;
  RowSource source(bitmap, height, width, scratch);
  for (int y = 0; y < height; ++y) {
    const RowSource::Rows rows = source.at(y);
    std::uint8_t* to = out.row(y);
    for (std::size_t c = 0; c < kChannels; ++c) {
      for (std::size_t x = 0; x < columns; ++x) {
        to[kChannels * x + c] =
            static_cast<std::uint8_t>(blend_value(rows.upper[c * columns + x], rows.lower[c * columns + x],
                                                  rows.tap.weight_first, rows.tap.weight_second));
      }
    }
  }
  return out;
}

}  // namespace bascule::image

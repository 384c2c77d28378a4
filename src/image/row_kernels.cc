#include "image/row_kernels.h"

namespace bascule::image {
namespace {

void scale(std::span<const std::uint8_t> row, const Columns& columns, std::int16_t* out) {
  scale_from(0, row, columns, out);
}
void blend(const std::int16_t* upper, const std::int16_t* lower, int weight_upper, int weight_lower,
           std::span<float> out) {
  blend_from(0, upper, lower, weight_upper, weight_lower, out);
}
void halve(std::span<const std::uint8_t> upper, std::span<const std::uint8_t> lower, std::size_t width,
           const PlaneRows& out) {
  halve_from(0, upper, lower, width, out);
}
void copy(std::span<const std::uint8_t> row, std::size_t width, const PlaneRows& out) {
  copy_from(0, row, width, out);
}

}  // namespace

void scale_from(std::size_t begin, std::span<const std::uint8_t> row, const Columns& columns,
                std::int16_t* out) {
  const std::size_t width = columns.offsets.size();
  for (std::size_t x = begin; x < width; ++x) {
    const std::uint8_t* left = row.data() + columns.offsets[x];
    const std::uint8_t* right = left + columns.step;
    const int weight_left = columns.weights[x] & 0xFFFF;
    const int weight_right = columns.weights[x] >> 16;
    for (std::size_t c = 0; c < 3; ++c) {
      out[c * width + x] = static_cast<std::int16_t>((left[c] * weight_left + right[c] * weight_right) >> 4);
    }
  }
}

void blend_from(std::size_t begin, const std::int16_t* upper, const std::int16_t* lower, int weight_upper,
                int weight_lower, std::span<float> out) {
  for (std::size_t x = begin; x < out.size(); ++x) {
    out[x] = unit_value(blend_value(upper[x], lower[x], weight_upper, weight_lower));
  }
}

void halve_from(std::size_t begin, std::span<const std::uint8_t> upper, std::span<const std::uint8_t> lower,
                std::size_t width, const PlaneRows& out) {
  for (std::size_t c = 0; c < 3; ++c) {
    const std::uint8_t* above = upper.data() + c;
    const std::uint8_t* below = lower.data() + c;
    float* to = out.plane[c];
    for (std::size_t x = begin; x < width; ++x) to[x] = unit_value(halve_value(above + 6 * x, below + 6 * x));
  }
}

void copy_from(std::size_t begin, std::span<const std::uint8_t> row, std::size_t width,
               const PlaneRows& out) {
  for (std::size_t c = 0; c < 3; ++c) {
    const std::uint8_t* from = row.data() + c;
    float* to = out.plane[c];
    for (std::size_t x = begin; x < width; ++x) to[x] = unit_value(from[3 * x]);
  }
}

const RowKernels& plain_row_kernels() {
  static constexpr RowKernels kKernels{scale, blend, halve, copy};
  return kKernels;
}

const RowKernels& row_kernels() {
  static const RowKernels& kernels =
      avx2_row_kernels() != nullptr ? *avx2_row_kernels() : plain_row_kernels();
  return kernels;
}

}  // namespace bascule::image

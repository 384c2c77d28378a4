#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// Private to this room: the inner loops of resize and letterbox, over one row each. There is a plain set for
// every machine and one for AVX2; both give the same bits.
namespace bascule::image {

// How each output column is mixed from two neighbouring source pixels.
struct Columns {
  std::span<const std::int32_t> offsets;  // of the left pixel in its row, in bytes; never falling
  std::span<const std::int32_t> weights;  // left in the low 16 bits, right in the high ones; in 1/2048
  std::size_t step = 3;  // from the left pixel to the right: 3 bytes, or 0 in a picture one wide
};

// One row of each plane of the tensor.
struct PlaneRows {
  float* plane[3];
};

struct RowKernels {
  // Horizontal pass: R, G and B in 1/128, each `columns.offsets.size()` values, one after the other.
  void (*scale)(std::span<const std::uint8_t> row, const Columns& columns, std::int16_t* out);
  // Vertical pass over one plane, then value / 255.
  void (*blend)(const std::int16_t* upper, const std::int16_t* lower, int weight_upper, int weight_lower,
                std::span<float> out);
  // The mean of 2 x 2 pixels, `width` times, then value / 255.
  void (*halve)(std::span<const std::uint8_t> upper, std::span<const std::uint8_t> lower, std::size_t width,
                const PlaneRows& out);
  // Value / 255.
  void (*copy)(std::span<const std::uint8_t> row, std::size_t width, const PlaneRows& out);
};

[[nodiscard]] const RowKernels& plain_row_kernels();
// nullptr where the processor has no AVX2 and FMA.
[[nodiscard]] const RowKernels* avx2_row_kernels();
// The best set for this machine.
[[nodiscard]] const RowKernels& row_kernels();

// The vertical pass for one value: OpenCV's rounding, which drops 16 bits of each product on its own.
inline int blend_value(int upper, int lower, int weight_upper, int weight_lower) {
  return (((weight_upper * upper) >> 16) + ((weight_lower * lower) >> 16) + 2) >> 2;
}
// The mean of four, which OpenCV takes in place of INTER_LINEAR when both sides shrink to exactly a half.
inline int halve_value(const std::uint8_t* upper, const std::uint8_t* lower) {
  return (upper[0] + upper[3] + lower[0] + lower[3] + 2) >> 2;
}
// A level as the tensor holds it: one correctly rounded division.
inline float unit_value(int level) { return static_cast<float>(level) / 255.0F; }

// The columns from `begin` on, plainly: also the end of a row that wide loads must not read.
void scale_from(std::size_t begin, std::span<const std::uint8_t> row, const Columns& columns,
                std::int16_t* out);
void blend_from(std::size_t begin, const std::int16_t* upper, const std::int16_t* lower, int weight_upper,
                int weight_lower, std::span<float> out);
void halve_from(std::size_t begin, std::span<const std::uint8_t> upper, std::span<const std::uint8_t> lower,
                std::size_t width, const PlaneRows& out);
void copy_from(std::size_t begin, std::span<const std::uint8_t> row, std::size_t width, const PlaneRows& out);

}  // namespace bascule::image

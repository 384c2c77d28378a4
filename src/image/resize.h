#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/bitmap.h"

// Private to this room: the two passes of OpenCV's INTER_LINEAR on 8-bit pictures, so that letterbox and
// resize can each put their own end behind them.
namespace bascule::image {

// One output column or row. The result is the source at `first` weighted with `weight_first` plus the one at
// `second` with `weight_second`; weights are in 1/2048 and rounded half to even.
struct LinearTap {
  std::int32_t first = 0;
  std::int32_t second = 0;
  std::int16_t weight_first = 0;
  std::int16_t weight_second = 0;
};

// How one axis goes from `from` to `to` places. With `fold_edges`, places outside give the edge its whole
// weight (OpenCV's columns); without, both taps fall on the edge and keep their weights (OpenCV's rows): the
// roundings differ.
void plan_axis(int from, int to, bool fold_edges, std::span<LinearTap> taps);

// Memory of a resize; reused between calls.
struct ResizeScratch {
  std::vector<LinearTap> columns;
  std::vector<LinearTap> rows;
  std::vector<std::int16_t> lines;  // two source rows after the horizontal pass, planes R, G, B each
};

// Gives the rows of the picture scaled to height x width, one after the other, to `put`, as
// put(y, upper, lower, tap): the two horizontally scaled source rows (planes of `width` values in 1/128, R
// then G then B) that the vertical pass mixes with blend_row or blend_value.
// Thread-safety: one thread at a time.
class RowSource {
 public:
  RowSource(const Bitmap& bitmap, int height, int width, ResizeScratch& scratch);

  struct Rows {
    const std::int16_t* upper;
    const std::int16_t* lower;
    LinearTap tap;
  };
  // Call with y = 0, 1, 2, …: neighbours share source rows.
  Rows at(int y);

 private:
  const std::int16_t* line(int source_row, int keep_slot);

  const Bitmap& bitmap_;
  int width_;
  ResizeScratch& scratch_;
  int slot_row_[2] = {-1, -1};
};

// The vertical pass for one value: OpenCV's rounding, which drops 16 bits of each product on its own.
inline int blend_value(int upper, int lower, int weight_upper, int weight_lower) {
  return (((weight_upper * upper) >> 16) + ((weight_lower * lower) >> 16) + 2) >> 2;
}

// The mean of four, which OpenCV takes in place of INTER_LINEAR when both sides shrink to exactly a half.
inline int blend_half(const std::uint8_t* upper, const std::uint8_t* lower, std::size_t at) {
  return (upper[at] + upper[at + 3] + lower[at] + lower[at + 3] + 2) >> 2;
}
[[nodiscard]] bool is_exact_half(const Bitmap& bitmap, int height, int width);

}  // namespace bascule::image

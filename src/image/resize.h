#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "content/picture.h"
#include "image/bitmap.h"

namespace bascule::image {

// One output column or row of INTER_LINEAR: the source at `first` weighted with `weight_first` plus the one
// at `second` with `weight_second`; weights are in 1/2048, rounded half to even.
struct LinearTap {
  std::int32_t first = 0;
  std::int32_t second = 0;
  std::int16_t weight_first = 0;
  std::int16_t weight_second = 0;
};

// Memory of a resize; reused between calls. Thread-safety: external (one thread at a time).
struct ResizeScratch {
  std::vector<LinearTap> taps;
  std::vector<std::int32_t> column_offsets;
  std::vector<std::int32_t> column_weights;
  std::vector<LinearTap> rows;
  std::vector<std::int16_t> lines;  // two source rows after the horizontal pass, planes R, G, B each
};

// The rows of a picture on their way to height x width, byte for byte as OpenCV's INTER_LINEAR goes: each is
// mixed from two horizontally scaled source rows. Not for a size of exactly a half, where OpenCV takes means.
// Thread-safety: external. The bitmap and the scratch must outlive it.
class RowSource {
 public:
  RowSource(const Bitmap& bitmap, const Extent& extent, content::PictureSize size, ResizeScratch& scratch);

  // Two source rows as planes R, G, B of `width` values in 1/128, and how to mix them.
  struct Rows {
    const std::int16_t* upper;
    const std::int16_t* lower;
    LinearTap tap;
  };
  // Call with y = 0, 1, 2, …: neighbours share source rows. Valid until the next call.
  Rows at(int y);

 private:
  const std::int16_t* line(int source_row, int keep_slot);
  void plan_columns(const Extent& extent);

  const Bitmap& bitmap_;
  std::size_t width_;
  ResizeScratch& scratch_;
  int slot_row_[2] = {-1, -1};
};

[[nodiscard]] bool is_exact_half(const Extent& extent, content::PictureSize size);

}  // namespace bascule::image

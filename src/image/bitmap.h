#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bascule::image {

// A decoded picture: 8 bits, three channels R, G, B, interleaved, rows without padding.
// Thread-safety: a value; one owner at a time.
struct Bitmap {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;  // height * width * 3

  [[nodiscard]] std::size_t row_bytes() const { return static_cast<std::size_t>(width) * 3; }
  [[nodiscard]] const std::uint8_t* row(int y) const {
    return pixels.data() + row_bytes() * static_cast<std::size_t>(y);
  }
  [[nodiscard]] std::uint8_t* row(int y) { return pixels.data() + row_bytes() * static_cast<std::size_t>(y); }
};

// Where the whole picture lies on its bitmap, in pixels of the bitmap: all of it, but for a JPEG decoded at a
// fraction of its size. There the last pixels of a side may stand for fewer than the others.
// Thread-safety: a value.
struct Extent {
  double top = 0;
  double left = 0;
  double height = 0;
  double width = 0;
};

[[nodiscard]] inline Extent whole_of(const Bitmap& bitmap) {
  return {.height = static_cast<double>(bitmap.height), .width = static_cast<double>(bitmap.width)};
}

}  // namespace bascule::image

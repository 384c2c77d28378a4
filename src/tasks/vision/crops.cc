#include "tasks/vision/crops.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "image/encode.h"
#include "tasks/vision/picture_input.h"

namespace bascule::tasks::vision {
namespace {

// Pixels, the second ones not included.
struct Window {
  int left = 0, top = 0, right = 0, bottom = 0;
};

// The nearest whole pixels of one side; at least one of them. Corners may come in any order.
std::pair<int, int> whole_pixels(float one, float two, double margin, int size) {
  const auto [low, high] = std::minmax(one, two);
  const double more = margin * (high - low);
  const auto clamped = [&](double at) {
    return static_cast<int>(std::clamp(std::nearbyint(at), 0.0, static_cast<double>(size)));
  };
  const int first = std::min(clamped(low - more), size - 1);
  return {first, std::max(clamped(high + more), first + 1)};
}

Window window_of(const content::Box& box, double margin, const image::Bitmap& bitmap) {
  const auto [left, right] = whole_pixels(box.x1, box.x2, margin, bitmap.width);
  const auto [top, bottom] = whole_pixels(box.y1, box.y2, margin, bitmap.height);
  return {left, top, right, bottom};
}

image::Bitmap cut(const image::Bitmap& bitmap, const Window& window) {
  image::Bitmap out{.height = window.bottom - window.top, .width = window.right - window.left, .pixels = {}};
  out.pixels.reserve(out.row_bytes() * static_cast<std::size_t>(out.height));
  for (int y = window.top; y < window.bottom; ++y) {
    const std::uint8_t* const from = bitmap.row(y) + static_cast<std::size_t>(window.left) * 3;
    out.pixels.insert(out.pixels.end(), from, from + out.row_bytes());
  }
  return out;
}

}  // namespace

Result<std::vector<content::EncodedPicture>> cut_out(const content::EncodedPicture& picture,
                                                     const content::Detections& found, double margin) {
  image::Bitmap bitmap;
  // Its size was checked when it was planned for the detector.
  BASCULE_TRY(read_pixels(picture, std::numeric_limits<std::uint64_t>::max(), bitmap));
  std::uint64_t bytes = 0;
  std::vector<Window> windows;
  for (const content::Detection& row : found.rows) {
    windows.push_back(window_of(row.box, margin, bitmap));
    const Window& one = windows.back();
    bytes += std::uint64_t{3} * static_cast<std::uint64_t>(one.right - one.left) *
             static_cast<std::uint64_t>(one.bottom - one.top);
  }
  if (bytes > kMaxCropBytes) {
    return Error{.code = Code::kPayloadTooLarge,
                 .message = fmt::format(
                     "The {} boxes of the picture hold {} together; at most {} are cut out. Ask for "
                     "fewer (max_det), or send a smaller picture.",
                     windows.size(), text::human_bytes(bytes), text::human_bytes(kMaxCropBytes))};
  }
  std::vector<content::EncodedPicture> out;
  for (const Window& window : windows) {
    const auto bmp = std::make_shared<const std::vector<std::byte>>(image::encode_bmp(cut(bitmap, window)));
    out.push_back({.bytes = *bmp, .owner = bmp, .name = picture.name});
  }
  return out;
}

}  // namespace bascule::tasks::vision

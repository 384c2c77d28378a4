#include "tuning/judged_inputs.h"

#include <algorithm>
#include <cmath>

namespace bascule::tuning {
namespace {

double tallness(content::PictureSize picture) { return static_cast<double>(picture.height) / picture.width; }

int side_of(double part, int size, int stride) {
  return static_cast<int>(std::ceil(part * size / stride + 0.5)) * stride;
}

}  // namespace

std::vector<content::PictureSize> judged_inputs(std::span<const content::PictureSize> pictures, int size,
                                                int stride, std::size_t group) {
  std::vector<std::size_t> order(pictures.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return tallness(pictures[i]); });
  std::vector<content::PictureSize> out(pictures.size());
  for (std::size_t first = 0; first < order.size(); first += group) {
    const std::size_t end = std::min(first + group, order.size());
    const double widest = tallness(pictures[order[first]]);
    const double tallest = tallness(pictures[order[end - 1]]);
    const double height = tallest < 1 ? tallest : 1;
    const double width = widest > 1 ? 1 / widest : 1;
    const content::PictureSize input{.height = side_of(height, size, stride),
                                     .width = side_of(width, size, stride)};
    for (std::size_t i = first; i < end; ++i) out[order[i]] = input;
  }
  return out;
}

}  // namespace bascule::tuning

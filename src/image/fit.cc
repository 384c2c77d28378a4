#include "image/fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "image/row_kernels.h"

namespace bascule::image {
namespace {

constexpr int kPrecision = 22;  // bits behind the point: Pillow's, 32 less 8 of a value less 2 to spare
constexpr std::int32_t kHalf = 1 << (kPrecision - 1);
constexpr std::size_t kChannels = 3;

// Which source pixels one output pixel is mixed from. Weights lie one after the other for all output pixels.
struct Taps {
  int first = 0;
  int count = 0;
  std::size_t weights = 0;  // where they begin
};

// Of `source` pixels, the picture has those from `begin` on for `length`.
struct Source {
  int pixels;
  double begin;
  double length;
};

// NOLINTBEGIN(bugprone-incorrect-roundings): cut off behind + 0.5, as Pillow does.
// For the output pixels `begin` to `end` of `target` in all.
std::vector<Taps> plan_taps(const Source& source, int target, int begin, int end,
                            std::vector<std::int32_t>& weights) {
  const double scale = source.length / target;
  const double support = std::max(scale, 1.0);  // of the triangle
  const double narrower = 1.0 / support;
  std::vector<Taps> out;
  std::vector<double> exact;
  for (int at = begin; at < end; ++at) {
    const double centre = source.begin + (at + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int last = std::min(static_cast<int>(centre + support + 0.5), source.pixels);
    exact.clear();
    double sum = 0;
    for (int i = first; i < last; ++i) {
      exact.push_back(std::max(1.0 - std::abs((i - centre + 0.5) * narrower), 0.0));
      sum += exact.back();
    }
    out.push_back({.first = first, .count = last - first, .weights = weights.size()});
    const double share = 1.0 / sum;
    for (const double weight : exact) {
      weights.push_back(static_cast<std::int32_t>(0.5 + weight * share * (1 << kPrecision)));
    }
  }
  return out;
}
// NOLINTEND(bugprone-incorrect-roundings)

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp((sum + kHalf) >> kPrecision, 0, 255));
}

// One row, from `bitmap` to R, G, B interleaved.
void scale_row(const std::uint8_t* from, std::span<const Taps> columns,
               const std::vector<std::int32_t>& weights, std::uint8_t* to) {
  for (const Taps& taps : columns) {
    const std::int32_t* weight = weights.data() + taps.weights;
    const std::uint8_t* pixel = from + static_cast<std::size_t>(taps.first) * kChannels;
    std::int32_t red = 0;
    std::int32_t green = 0;
    std::int32_t blue = 0;
    for (int i = 0; i < taps.count; ++i, pixel += kChannels) {
      red += pixel[0] * weight[i];
      green += pixel[1] * weight[i];
      blue += pixel[2] * weight[i];
    }
    *to++ = rounded(red);
    *to++ = rounded(green);
    *to++ = rounded(blue);
  }
}

}  // namespace

CentreCrop plan_centre_crop(content::PictureSize original, content::PictureSize target, int shorter) {
  BASCULE_CHECK(original.height > 0 && original.width > 0 && target.height > 0 && target.width > 0);
  CentreCrop plan{.original = original, .resized = target, .input = target};
  if (target.height == target.width) {  // the longer side is cut off to whole pixels
    const int fitted = std::max(shorter, target.height);
    const auto longer = [&](int side, int other) {
      return std::max(static_cast<int>(static_cast<std::int64_t>(fitted) * side / other), 1);
    };
    plan.resized = {fitted, fitted};
    if (original.width <= original.height) {
      plan.resized.height = longer(original.height, original.width);
    } else {
      plan.resized.width = longer(original.width, original.height);
    }
  }
  // Python's round: half to even.
  plan.top = static_cast<int>(std::nearbyint((plan.resized.height - target.height) / 2.0));
  plan.left = static_cast<int>(std::nearbyint((plan.resized.width - target.width) / 2.0));
  return plan;
}

void centre_crop_to_chw(const Bitmap& bitmap, const Extent& extent, const CentreCrop& plan,
                        CropScratch& scratch, std::span<float> out) {
  const auto height = static_cast<std::size_t>(plan.input.height);
  const auto width = static_cast<std::size_t>(plan.input.width);
  BASCULE_CHECK(out.size() == kChannels * height * width);
  BASCULE_CHECK(extent.height > 0 && extent.top + extent.height <= bitmap.height);
  BASCULE_CHECK(extent.width > 0 && extent.left + extent.width <= bitmap.width);
  scratch.weights.clear();
  const auto columns = plan_taps({bitmap.width, extent.left, extent.width}, plan.resized.width, plan.left,
                                 plan.left + plan.input.width, scratch.weights);
  const auto rows = plan_taps({bitmap.height, extent.top, extent.height}, plan.resized.height, plan.top,
                              plan.top + plan.input.height, scratch.weights);
  const int first = rows.front().first;
  const int last = rows.back().first + rows.back().count;
  const std::size_t line = width * kChannels;
  scratch.rows.resize(line * static_cast<std::size_t>(last - first));
  for (int y = first; y < last; ++y) {
    scale_row(bitmap.row(y), columns, scratch.weights,
              scratch.rows.data() + line * static_cast<std::size_t>(y - first));
  }
  for (std::size_t y = 0; y < height; ++y) {
    const Taps& taps = rows[y];
    const std::uint8_t* from = scratch.rows.data() + line * static_cast<std::size_t>(taps.first - first);
    for (std::size_t x = 0; x < line; ++x) {
      std::int32_t sum = 0;
      for (int i = 0; i < taps.count; ++i) {
        sum += from[line * static_cast<std::size_t>(i) + x] *
               scratch.weights[taps.weights + static_cast<std::size_t>(i)];
      }
      out[(x % kChannels) * height * width + y * width + x / kChannels] = unit_value(rounded(sum));
    }
  }
}

void resize_plane(std::span<const float> from, content::PictureSize from_size, std::span<float> to,
                  content::PictureSize to_size) {
  struct Tap {
    std::size_t first, second;
    float weight;
  };
  const auto plan = [](int source, int target) {
    std::vector<Tap> taps;
    const float scale = target > 1 ? static_cast<float>(source - 1) / static_cast<float>(target - 1) : 0.0F;
    for (int at = 0; at < target; ++at) {
      const float place = scale * static_cast<float>(at);
      const int first = std::min(static_cast<int>(place), source - 1);
      const int second = std::min(first + 1, source - 1);
      taps.push_back({static_cast<std::size_t>(first), static_cast<std::size_t>(second),
                      std::clamp(place - static_cast<float>(first), 0.0F, 1.0F)});
    }
    return taps;
  };
  const auto width = static_cast<std::size_t>(from_size.width);
  const std::vector<Tap> columns = plan(from_size.width, to_size.width);
  float* out = to.data();
  for (const Tap& row : plan(from_size.height, to_size.height)) {
    const float* upper = from.data() + row.first * width;
    const float* lower = from.data() + row.second * width;
    for (const Tap& column : columns) {
      const float above = (1 - column.weight) * upper[column.first] + column.weight * upper[column.second];
      const float below = (1 - column.weight) * lower[column.first] + column.weight * lower[column.second];
      *out++ = (1 - row.weight) * above + row.weight * below;
    }
  }
}

}  // namespace bascule::image

#include "tasks/vision/masks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace bascule::tasks::vision {
namespace {

// One output column or row as a mix of two of the prototypes'.
struct Tap {
  std::size_t first = 0;
  std::size_t second = 0;
  float weight = 0;  // of the second
};

// PyTorch's bilinear without align_corners, for the output places `begin` to `begin + count`.
std::vector<Tap> plan_taps(std::size_t source, int target, int begin, int count) {
  const float scale = static_cast<float>(source) / static_cast<float>(target);
  std::vector<Tap> out;
  out.reserve(static_cast<std::size_t>(count));
  for (int at = begin; at < begin + count; ++at) {
    const float place = std::max(scale * (static_cast<float>(at) + 0.5F) - 0.5F, 0.0F);
    const std::size_t first = std::min(static_cast<std::size_t>(place), source - 1);
    out.push_back({first, std::min(first + 1, source - 1), place - static_cast<float>(first)});
  }
  return out;
}

// The whole numbers n with low <= n < high, within 0 to `side`.
std::pair<int, int> whole_between(float low, float high, int side) {
  const auto bound = [side](float value) {
    return static_cast<int>(std::clamp(std::ceil(value), 0.0F, static_cast<float>(side)));
  };
  const int begin = bound(low);
  return {begin, std::max(bound(high) - begin, 0)};
}

struct Cell {
  int x = 0;
  int y = 0;
  bool operator==(const Cell&) const = default;
};

// The eight neighbours, from the right one against the clock.
constexpr std::array<Cell, 8> kAround = {
    {{1, 0}, {1, -1}, {0, -1}, {-1, -1}, {-1, 0}, {-1, 1}, {0, 1}, {1, 1}}};

// A mask with a border of nothing around it, so that every pixel has eight neighbours.
class Grid {
 public:
  enum State : std::uint8_t { kOutside, kHole, kObject, kTaken };

  explicit Grid(const Mask& mask)
      : width_(static_cast<std::size_t>(mask.width) + 2),
        height_(static_cast<std::size_t>(mask.height) + 2),
        cells_(width_ * height_, kHole) {
    for (int y = 0; y < mask.height; ++y) {
      for (int x = 0; x < mask.width; ++x) {
        if (mask.pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(mask.width) +
                        static_cast<std::size_t>(x)] != 0) {
          at({x + 1, y + 1}) = kObject;
        }
      }
    }
    flood({0, 0}, kHole, kOutside, 2);
  }

  // The outer borders of all parts that lie in no other part's hole, in the order of their first pixels.
  std::vector<std::vector<Cell>> borders() {
    std::vector<std::vector<Cell>> out;
    for (int y = 1; y + 1 < static_cast<int>(height_); ++y) {
      for (int x = 1; x + 1 < static_cast<int>(width_); ++x) {
        if (at({x, y}) != kObject) continue;
        if (at({x - 1, y}) == kOutside) out.push_back(follow({x, y}));
        flood({x, y}, kObject, kTaken, 1);
      }
    }
    return out;
  }

 private:
  std::uint8_t& at(Cell cell) {
    return cells_[static_cast<std::size_t>(cell.y) * width_ + static_cast<std::size_t>(cell.x)];
  }

  [[nodiscard]] bool inside(Cell cell) const {
    return cell.x >= 0 && cell.y >= 0 && cell.x < static_cast<int>(width_) &&
           cell.y < static_cast<int>(height_);
  }

  // `step` 1: over corners, too; 2: sides alone.
  void flood(Cell start, State from, State to, std::size_t step) {
    at(start) = to;
    todo_.assign(1, start);
    while (!todo_.empty()) {
      const Cell cell = todo_.back();
      todo_.pop_back();
      for (std::size_t i = 0; i < kAround.size(); i += step) {
        const Cell next{cell.x + kAround[i].x, cell.y + kAround[i].y};
        if (!inside(next) || at(next) != from) continue;
        at(next) = to;
        todo_.push_back(next);
      }
    }
  }

  bool object(Cell cell) { return at(cell) >= kObject; }

  static Cell step(Cell from, std::size_t direction) {
    return {from.x + kAround[direction & 7U].x, from.y + kAround[direction & 7U].y};
  }

  // Around a part from its first pixel; only where the direction changes there is a point.
  std::vector<Cell> follow(Cell start) {
    std::size_t direction = 4;
    do {
      direction = (direction - 1) & 7U;
    } while (!object(step(start, direction)) && direction != 4);
    if (direction == 4) return {start};
    const Cell last = step(start, direction);  // the border comes back through it
    std::vector<Cell> out;
    Cell cell = start;
    std::size_t before = direction ^ 4U;
    while (true) {
      do {
        ++direction;
      } while (!object(step(cell, direction)));
      direction &= 7U;
      if (direction != before) {
        out.push_back(cell);
        before = direction;
      }
      const Cell next = step(cell, direction);
      if (next == start && cell == last) return out;
      cell = next;
      direction = (direction + 4) & 7U;
    }
  }

  std::size_t width_;
  std::size_t height_;
  std::vector<std::uint8_t> cells_;
  std::vector<Cell> todo_;
};

using Border = std::vector<Cell>;

// The first pair of least distance, as indices. Of a border of very many points not all are looked at.
std::pair<std::size_t, std::size_t> nearest(const Border& one, const Border& two) {
  constexpr std::size_t kEnough = 4096;
  const std::size_t step_one = 1 + one.size() / kEnough;
  const std::size_t step_two = 1 + two.size() / kEnough;
  std::pair<std::size_t, std::size_t> best;
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < one.size(); i += step_one) {
    for (std::size_t j = 0; j < two.size(); j += step_two) {
      const std::int64_t x = one[i].x - two[j].x;
      const std::int64_t y = one[i].y - two[j].y;
      if (x * x + y * y >= least) continue;
      least = x * x + y * y;
      best = {i, j};
    }
  }
  return best;
}

// A border on the way through all of them: where the line from the one before arrives, and where the next one
// leaves.
struct Stop {
  Border border;
  std::size_t arrive = 0;
  std::size_t leave = 0;

  // The border from where it is reached and back to there; how far it is to where it is left.
  std::size_t turn() {
    if (arrive > leave) {
      std::ranges::reverse(border);
      arrive = border.size() - 1 - arrive;
      leave = border.size() - 1 - leave;
    }
    std::ranges::rotate(border, border.begin() + static_cast<std::ptrdiff_t>(arrive));
    border.push_back(border.front());
    return leave - arrive;
  }
};

// There along one side of each border, and back along the other.
Border joined(std::vector<Border> borders) {
  std::vector<Stop> stops;
  for (Border& border : borders) stops.push_back({.border = std::move(border)});
  for (std::size_t i = 1; i < stops.size(); ++i) {
    const auto [from, to] = nearest(stops[i - 1].border, stops[i].border);
    stops[i - 1].leave = from;
    stops[i].arrive = to;
  }
  stops.front().arrive = stops.front().leave;
  stops.back().leave = stops.back().arrive;
  Border out;
  std::vector<std::size_t> ways;
  for (std::size_t i = 0; i < stops.size(); ++i) {
    const bool end = i == 0 || i + 1 == stops.size();
    ways.push_back(stops[i].turn());
    const Border& border = stops[i].border;
    out.insert(out.end(), border.begin(),
               end ? border.end() : border.begin() + static_cast<std::ptrdiff_t>(ways[i] + 1));
  }
  for (std::size_t i = stops.size() - 2; i >= 1 && stops.size() > 2; --i) {
    const Border& border = stops[i].border;
    out.insert(out.end(), border.begin() + static_cast<std::ptrdiff_t>(ways[i]), border.end());
  }
  return out;
}

}  // namespace

bool Mask::empty() const {
  return std::ranges::none_of(pixels, [](std::uint8_t pixel) { return pixel != 0; });
}

void draw_mask(const Prototypes& prototypes, std::span<const float> coefficients, const content::Box& box,
               content::PictureSize input, MaskScratch& scratch, Mask& out) {
  BASCULE_CHECK(coefficients.size() == prototypes.channels);
  std::tie(out.left, out.width) = whole_between(box.x1, box.x2, input.width);
  std::tie(out.top, out.height) = whole_between(box.y1, box.y2, input.height);
  out.pixels.assign(static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height), 0);
  if (out.pixels.empty() || prototypes.width == 0 || prototypes.height == 0) return;
  const auto columns = plan_taps(prototypes.width, input.width, out.left, out.width);
  const auto rows = plan_taps(prototypes.height, input.height, out.top, out.height);
  const std::size_t first_row = rows.front().first;
  const std::size_t first_column = columns.front().first;
  const std::size_t mixed_width = columns.back().second - first_column + 1;
  const std::size_t mixed_height = rows.back().second - first_row + 1;
  std::vector<float>& mixed = scratch.mixed;
  mixed.assign(mixed_width * mixed_height, 0.0F);
  for (std::size_t channel = 0; channel < prototypes.channels; ++channel) {
    const float* plane = prototypes.values.data() + channel * prototypes.height * prototypes.width;
    const float weight = coefficients[channel];
    for (std::size_t y = 0; y < mixed_height; ++y) {
      const float* from = plane + (first_row + y) * prototypes.width + first_column;
      float* to = mixed.data() + y * mixed_width;
      for (std::size_t x = 0; x < mixed_width; ++x) to[x] += weight * from[x];
    }
  }
  std::uint8_t* pixel = out.pixels.data();
  for (const Tap& row : rows) {
    const float* upper = mixed.data() + (row.first - first_row) * mixed_width;
    const float* lower = mixed.data() + (row.second - first_row) * mixed_width;
    for (const Tap& column : columns) {
      const std::size_t left = column.first - first_column;
      const std::size_t right = column.second - first_column;
      const float above = (1 - column.weight) * upper[left] + column.weight * upper[right];
      const float below = (1 - column.weight) * lower[left] + column.weight * lower[right];
      *pixel++ = (1 - row.weight) * above + row.weight * below > 0 ? 1 : 0;
    }
  }
}

std::vector<content::Point> outline_of(const Mask& mask) {
  if (mask.empty()) return {};
  std::vector<Border> borders = Grid(mask).borders();
  std::ranges::reverse(borders);
  const Border border = borders.size() == 1 ? std::move(borders.front()) : joined(std::move(borders));
  std::vector<content::Point> out;
  out.reserve(border.size());
  for (const Cell& cell : border) {
    out.push_back({static_cast<float>(cell.x - 1 + mask.left), static_cast<float>(cell.y - 1 + mask.top)});
  }
  return out;
}

}  // namespace bascule::tasks::vision

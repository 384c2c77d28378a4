#include "tasks/vision/tiles.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>

#include <fmt/format.h>

#include "base/check.h"

namespace bascule::tasks::vision {
namespace {

constexpr int kLeastSize = 32;
constexpr int kMostSize = 8192;
constexpr double kMostOverlap = 0.9;
constexpr std::size_t kMaxParts = 3000;  // boxes of all tiles that are looked at, the best
constexpr float kBorder = 2;             // pixels: a box that ends nearer to its tile's side is cut by it
constexpr double kAgree = 0.25;          // least common part of the larger of two views of one object

// How many tiles a side takes.
std::int64_t count_along(int side, int tile, double overlap) {
  if (side <= tile) return 1;
  const int step = std::max(1, static_cast<int>(tile * (1 - overlap)));
  return (std::int64_t{side} - tile + step - 1) / step + 1;
}

std::vector<int> starts_along(int side, int tile, std::int64_t count) {
  std::vector<int> out;
  for (std::int64_t i = 0; i < count; ++i) {
    out.push_back(count == 1 ? 0 : static_cast<int>((std::int64_t{side} - tile) * i / (count - 1)));
  }
  return out;
}

content::Box box_of(const Tile& tile) {
  return {.x1 = static_cast<float>(tile.x),
          .y1 = static_cast<float>(tile.y),
          .x2 = static_cast<float>(tile.x + tile.width),
          .y2 = static_cast<float>(tile.y + tile.height)};
}

content::Box common(const content::Box& a, const content::Box& b) {
  return {.x1 = std::max(a.x1, b.x1),
          .y1 = std::max(a.y1, b.y1),
          .x2 = std::min(a.x2, b.x2),
          .y2 = std::min(a.y2, b.y2)};
}

double area(const content::Box& box) {
  const double width = double{box.x2} - box.x1;
  const double height = double{box.y2} - box.y1;
  return width > 0 && height > 0 ? width * height : 0;
}

// One box of a tile, in pixels of the picture.
struct Part {
  std::size_t tile = 0;
  std::size_t row = 0;
  content::Detection object;
  bool cut = false;
};

bool is_cut(const content::Box& box, const content::Box& tile, content::PictureSize picture) {
  const auto width = static_cast<float>(picture.width);
  const auto height = static_cast<float>(picture.height);
  return (tile.x1 > 0 && box.x1 < tile.x1 + kBorder) || (tile.y1 > 0 && box.y1 < tile.y1 + kBorder) ||
         (tile.x2 < width && box.x2 > tile.x2 - kBorder) || (tile.y2 < height && box.y2 > tile.y2 - kBorder);
}

std::vector<Part> parts_of(content::PictureSize picture, std::span<const Tile> tiles,
                           std::span<const content::Detections> found) {
  std::vector<Part> parts;
  for (std::size_t tile = 0; tile < tiles.size(); ++tile) {
    const content::Box place = box_of(tiles[tile]);
    for (std::size_t row = 0; row < found[tile].rows.size(); ++row) {
      Part part{.tile = tile, .row = row, .object = found[tile].rows[row]};
      content::Box& box = part.object.box;
      box = {
          .x1 = box.x1 + place.x1, .y1 = box.y1 + place.y1, .x2 = box.x2 + place.x1, .y2 = box.y2 + place.y1};
      part.cut = is_cut(box, place, picture);
      parts.push_back(part);
    }
  }
  std::ranges::stable_sort(parts, std::ranges::greater(),
                           [](const Part& part) { return part.object.confidence; });
  if (parts.size() > kMaxParts) parts.resize(kMaxParts);
  return parts;
}

// Whether two boxes are views of one object that at least one tile cuts.
bool one_object(const Part& a, const Part& b, std::span<const Tile> tiles, double shared) {
  if (a.tile == b.tile || a.object.class_id != b.object.class_id || !(a.cut || b.cut)) return false;
  const content::Box both_see = common(box_of(tiles[a.tile]), box_of(tiles[b.tile]));
  const content::Box view_a = common(a.object.box, both_see);
  const content::Box view_b = common(b.object.box, both_see);
  const double in_common = area(common(view_a, view_b));
  return in_common > shared * std::min(area(view_a), area(view_b)) &&
         in_common > kAgree * std::max(area(view_a), area(view_b));
}

// The first part of each part's object: sets that are joined, the lower number leads.
class Sets {
 public:
  explicit Sets(std::size_t count) : lead_(count) { std::iota(lead_.begin(), lead_.end(), 0); }

  std::size_t of(std::size_t i) {
    while (lead_[i] != i) i = lead_[i] = lead_[lead_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    a = of(a);
    b = of(b);
    lead_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> lead_;
};

// Joins views of one object into its best part; what is left, best first.
std::vector<Part> joined(std::vector<Part> parts, std::span<const Tile> tiles, double shared) {
  Sets sets(parts.size());
  for (std::size_t a = 0; a < parts.size(); ++a) {
    for (std::size_t b = a + 1; b < parts.size(); ++b) {
      if (one_object(parts[a], parts[b], tiles, shared)) sets.join(a, b);
    }
  }
  std::vector<Part> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t lead = sets.of(i);
    if (lead == i) continue;
    content::Box& box = parts[lead].object.box;
    const content::Box& more = parts[i].object.box;
    box = {.x1 = std::min(box.x1, more.x1),
           .y1 = std::min(box.y1, more.y1),
           .x2 = std::max(box.x2, more.x2),
           .y2 = std::max(box.y2, more.y2)};
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (sets.of(i) == i) out.push_back(parts[i]);
  }
  return out;
}

bool overlaps(const Part& a, const Part& b, double iou) {
  if (a.object.class_id != b.object.class_id) return false;
  const double both = area(common(a.object.box, b.object.box));
  return both > iou * (area(a.object.box) + area(b.object.box) - both);
}

content::Point moved(content::Point at, const Tile& tile) {
  return {.x = at.x + static_cast<float>(tile.x), .y = at.y + static_cast<float>(tile.y)};
}

// Adds a part with all that its tile's answer says of it.
void add(content::Detections& out, const Part& part, const Tile& tile, const content::Detections& of_tile) {
  out.rows.push_back(part.object);
  out.tells_visible = out.tells_visible || of_tile.tells_visible;
  if (!of_tile.corners.empty()) {
    auto corners = of_tile.corners[part.row];
    for (content::Point& corner : corners) corner = moved(corner, tile);
    out.corners.push_back(corners);
  }
  if (!of_tile.keypoints.empty()) {
    auto keypoints = of_tile.keypoints[part.row];
    for (content::Keypoint& keypoint : keypoints) keypoint.at = moved(keypoint.at, tile);
    out.keypoints.push_back(std::move(keypoints));
  }
  if (!of_tile.outlines.empty()) {
    auto outline = of_tile.outlines[part.row];
    for (content::Point& point : outline) point = moved(point, tile);
    out.outlines.push_back(std::move(outline));
  }
}

}  // namespace

Result<std::vector<Tile>> tiles_of(content::PictureSize picture, const TileOptions& options) {
  if (options.size < kLeastSize || options.size > kMostSize) {
    return invalid_argument(
        fmt::format("A tile's size is {}; it must be {} to {} pixels.", options.size, kLeastSize, kMostSize));
  }
  if (!(options.overlap >= 0 && options.overlap <= kMostOverlap)) {
    return invalid_argument(
        fmt::format("The overlap of tiles is {}; it must be 0 to {}.", options.overlap, kMostOverlap));
  }
  if (picture.width <= 0 || picture.height <= 0) {
    return invalid_argument(
        fmt::format("A picture of {} x {} pixels cannot be cut into tiles.", picture.width, picture.height));
  }
  const std::int64_t across = count_along(picture.width, options.size, options.overlap);
  const std::int64_t down = count_along(picture.height, options.size, options.overlap);
  if (across > static_cast<std::int64_t>(kMaxTiles) || across * down > static_cast<std::int64_t>(kMaxTiles)) {
    return invalid_argument(
        fmt::format("A picture of {} x {} pixels makes {} tiles of {} pixels, over the limit of {}; take "
                    "larger tiles or less overlap.",
                    picture.width, picture.height, across * down, options.size, kMaxTiles));
  }
  const int width = std::min(picture.width, options.size);
  const int height = std::min(picture.height, options.size);
  std::vector<Tile> out;
  for (const int y : starts_along(picture.height, height, down)) {
    for (const int x : starts_along(picture.width, width, across)) {
      out.push_back({.x = x, .y = y, .width = width, .height = height});
    }
  }
  return out;
}

content::Detections merge_tiles(content::PictureSize picture, std::span<const Tile> tiles,
                                std::span<const content::Detections> found, const MergeLimits& limits) {
  BASCULE_CHECK(tiles.size() == found.size());
  const std::vector<Part> objects = joined(parts_of(picture, tiles, found), tiles, limits.shared);
  content::Detections out{.picture = picture};
  std::vector<Part> kept;
  for (const Part& object : objects) {
    if (kept.size() == limits.max_detections) break;
    const bool covered =
        std::ranges::any_of(kept, [&](const Part& better) { return overlaps(better, object, limits.iou); });
    if (covered) continue;
    kept.push_back(object);
    add(out, object, tiles[object.tile], found[object.tile]);
  }
  return out;
}

}  // namespace bascule::tasks::vision

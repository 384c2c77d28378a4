#include "applications/geometry.h"

#include <algorithm>
#include <cmath>

namespace bascule::applications {
namespace {

// Distance from a line in pixels, above 0 on its left-hand side for one who goes from its one end to the
// other on a frame whose y points down.
double distance(const Line& line, Place at, content::PictureSize picture) {
  const double x = (line.to.x - line.from.x) * picture.width;
  const double y = (line.to.y - line.from.y) * picture.height;
  const double length = std::hypot(x, y);
  if (length == 0) return 0;
  return (y * (at.x - line.from.x) * picture.width - x * (at.y - line.from.y) * picture.height) / length;
}

}  // namespace

bool contains(const Polygon& polygon, Place at) {
  bool inside = false;
  const std::vector<Place>& corners = polygon.corners;
  for (std::size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Place& a = corners[i];
    const Place& b = corners[j];
    if ((a.y > at.y) == (b.y > at.y)) continue;
    if (at.x < (b.x - a.x) * (at.y - a.y) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}

Place centre_of(const content::Box& box, content::PictureSize picture) {
  return {.x = (double{box.x1} + box.x2) / 2 / picture.width,
          .y = (double{box.y1} + box.y2) / 2 / picture.height};
}

double area_fraction(const content::Box& box, content::PictureSize picture) {
  const double across = std::clamp(double{box.x2}, 0.0, double(picture.width)) -
                        std::clamp(double{box.x1}, 0.0, double(picture.width));
  const double down = std::clamp(double{box.y2}, 0.0, double(picture.height)) -
                      std::clamp(double{box.y1}, 0.0, double(picture.height));
  if (across <= 0 || down <= 0) return 0;
  return across * down / (double(picture.width) * picture.height);
}

std::string_view to_string(Direction direction) {
  switch (direction) {
    case Direction::kRight: return "right";
    case Direction::kLeft: return "left";
    case Direction::kDown: return "down";
    case Direction::kUp: break;
  }
  return "up";
}

int side_of(const Line& line, Place at, content::PictureSize picture) {
  const double away = distance(line, at, picture);
  if (std::abs(away) < kLineWidth * std::max(picture.width, picture.height)) return 0;
  return away > 0 ? 1 : -1;
}

std::optional<Direction> crossing(const Line& line, Place before, Place after, content::PictureSize picture) {
  const double from = distance(line, before, picture);
  const double to = distance(line, after, picture);
  if ((from > 0) == (to > 0)) return std::nullopt;
  // Where the way meets the line, and how far along the line that is.
  const double part = from / (from - to);
  const double x = (line.to.x - line.from.x) * picture.width;
  const double y = (line.to.y - line.from.y) * picture.height;
  const double met_x = (before.x + (after.x - before.x) * part - line.from.x) * picture.width;
  const double met_y = (before.y + (after.y - before.y) * part - line.from.y) * picture.height;
  const double along = met_x * x + met_y * y;
  if (along < 0 || along > x * x + y * y) return std::nullopt;
  // Straight over the line, towards the side that it came to.
  const double over_x = to > 0 ? y : -y;
  const double over_y = to > 0 ? -x : x;
  if (std::abs(over_x) >= std::abs(over_y)) return over_x > 0 ? Direction::kRight : Direction::kLeft;
  return over_y > 0 ? Direction::kDown : Direction::kUp;
}

}  // namespace bascule::applications

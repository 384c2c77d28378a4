#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/prediction.h"

namespace bascule::applications {

// A place in parts of the frame's sides, 0 to 1 from its upper left corner.
struct Place {
  double x = 0, y = 0;
};

// A zone, or the region that an application looks at: three corners or more, closed by itself.
// Thread-safety: a value.
struct Polygon {
  std::string name;
  std::vector<Place> corners;
};

// What tracked objects are counted at.
// Thread-safety: a value.
struct Line {
  std::string name;
  Place from, to;
};

// Whether a place lies in a polygon by the even-odd rule, so that its corners may go either way round and it
// may cross itself. A place on an edge that two polygons share lies in exactly one of them.
[[nodiscard]] bool contains(const Polygon& polygon, Place at);

// The centre of a box, in parts of the frame.
[[nodiscard]] Place centre_of(const content::Box& box, content::PictureSize picture);

// The part of the frame that a box covers; what reaches beyond the frame does not count.
[[nodiscard]] double area_fraction(const content::Box& box, content::PictureSize picture);

// Where something went that crossed a line. A line that is rather upright is crossed to the right or to the
// left, one that is rather level, up or down, as one sees it on the frame.
enum class Direction : std::uint8_t { kRight, kLeft, kDown, kUp };
[[nodiscard]] std::string_view to_string(Direction direction);

// On which side of a line something is; 0: too near to say. Nearer than `kLineWidth` does not count, so that
// what lies on a line and trembles does not cross it again and again.
inline constexpr double kLineWidth = 0.004;  // of the frame's longer side
[[nodiscard]] int side_of(const Line& line, Place at, content::PictureSize picture);

// The direction in which a straight way from `before` to `after` crosses the line; nothing where it passes
// beside its ends. Both are on a side of the line, by side_of, and on different ones.
[[nodiscard]] std::optional<Direction> crossing(const Line& line, Place before, Place after,
                                                content::PictureSize picture);

}  // namespace bascule::applications

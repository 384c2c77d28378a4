#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "image/bitmap.h"

namespace bascule::image {

using Color = std::array<std::uint8_t, 3>;  // R, G, B

// A colour that tells classes apart, the same for the same class everywhere.
[[nodiscard]] Color class_color(int class_id);
// The outline of a box, `thickness` pixels, clipped to the picture. Corners in any order.
void draw_box(Bitmap& bitmap, float x1, float y1, float x2, float y2, Color color, int thickness);
// A label (printable ASCII; others as '?') on a filled ground, its lower left corner at (x, y), kept inside
// the picture; `scale` multiplies the 8x8-class built-in font.
void draw_label(Bitmap& bitmap, int x, int y, std::string_view text, Color ground, int scale);

}  // namespace bascule::image

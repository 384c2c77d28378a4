#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "image/bitmap.h"

namespace bascule::image {

using Color = std::array<std::uint8_t, 3>;  // R, G, B

// A colour that tells classes apart, the same for the same class everywhere.
[[nodiscard]] Color class_color(int class_id);
// How big lines and letters should be on a picture of this size: what to give as `thickness` and `scale`. 1
// for the smallest; 2 at 640 x 480, 10 at 4000 x 3000.
[[nodiscard]] int annotation_scale(const Bitmap& bitmap);
// The outline of a box, `thickness` pixels, clipped to the picture. Corners in any order; one that
// is not finite draws nothing.
void draw_box(Bitmap& bitmap, float x1, float y1, float x2, float y2, Color color, int thickness);
// A line from one point to another, `thickness` pixels, clipped; a point that is not finite draws nothing.
void draw_line(Bitmap& bitmap, float x1, float y1, float x2, float y2, Color color, int thickness);
// A filled square around a point, 3 * `thickness` pixels; as draw_line.
void draw_mark(Bitmap& bitmap, float x, float y, Color color, int thickness);
// Mixes each pixel half and half with a colour: `colors` are one for each pixel, rows from above.
void tint(Bitmap& bitmap, std::span<const Color> colors);
// A label (printable ASCII; others as '?') on a filled ground, its lower left corner at (x, y), kept inside
// the picture; `scale` multiplies the built-in font of 5 x 8 pixels; the letters are black or white, as the
// ground wants it.
void draw_label(Bitmap& bitmap, int x, int y, std::string_view text, Color ground, int scale);

}  // namespace bascule::image

#include "image/draw.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "image/font.h"

namespace bascule::image {
namespace {

// Half open, in 64 bits: corners come from outside and must not overflow.
struct Area {
  std::int64_t left, top, right, bottom;
};

void fill(Bitmap& bitmap, const Area& area, Color color) {
  const std::int64_t left = std::max<std::int64_t>(area.left, 0);
  const std::int64_t right = std::min<std::int64_t>(area.right, bitmap.width);
  const std::int64_t top = std::max<std::int64_t>(area.top, 0);
  const std::int64_t bottom = std::min<std::int64_t>(area.bottom, bitmap.height);
  for (std::int64_t y = top; y < bottom; ++y) {
    std::uint8_t* row = bitmap.row(static_cast<int>(y));
    for (std::int64_t x = left; x < right; ++x) std::copy(color.begin(), color.end(), row + 3 * x);
  }
}

// The pixel of a coordinate; far outside is as good as far further outside.
std::int64_t pixel_of(float value) {
  constexpr float kFar = 1e9F;
  return static_cast<std::int64_t>(std::floor(std::clamp(value, -kFar, kFar)));
}

// Rec. 601 luma: which of black and white reads better on it.
Color letters_on(Color ground) {
  const int luma = (299 * ground[0] + 587 * ground[1] + 114 * ground[2]) / 1000;
  return luma > 140 ? Color{0, 0, 0} : Color{255, 255, 255};
}

}  // namespace

Color class_color(int class_id) {
  static constexpr std::array<Color, 20> kColors{{
      {230, 25, 75},  {60, 180, 75},  {0, 110, 220},   {255, 215, 25},  {245, 130, 48},
      {145, 30, 180}, {66, 212, 244}, {240, 50, 230},  {170, 225, 40},  {250, 170, 190},
      {0, 128, 128},  {154, 99, 36},  {220, 190, 255}, {128, 0, 0},     {150, 240, 190},
      {128, 128, 0},  {0, 0, 160},    {255, 205, 160}, {110, 110, 110}, {20, 90, 30},
  }};
  const auto count = static_cast<int>(kColors.size());
  return kColors[static_cast<std::size_t>((class_id % count + count) % count)];
}

int annotation_scale(const Bitmap& bitmap) {
  constexpr double kPixelsPerStep = 350;  // of the mean side
  const double mean = (static_cast<double>(bitmap.width) + bitmap.height) / 2;
  return std::max(1, static_cast<int>(std::lround(mean / kPixelsPerStep)));
}

void draw_box(Bitmap& bitmap, float x1, float y1, float x2, float y2, Color color, int thickness) {
  if (!std::isfinite(x1) || !std::isfinite(y1) || !std::isfinite(x2) || !std::isfinite(y2)) return;
  const std::int64_t line = std::max(thickness, 1);
  const std::int64_t before = line / 2;  // the line's middle runs along the edge
  const std::int64_t after = line - before;
  const auto [left_edge, right_edge] = std::minmax(x1, x2);
  const auto [top_edge, bottom_edge] = std::minmax(y1, y2);
  const std::int64_t left = pixel_of(left_edge);
  const std::int64_t right = pixel_of(right_edge);
  const std::int64_t top = pixel_of(top_edge);
  const std::int64_t bottom = pixel_of(bottom_edge);
  // A box that ends at the picture's edge keeps its whole line in sight.
  const auto inside = [&](std::int64_t at, int size) {
    return std::clamp<std::int64_t>(at, at < 0 ? at : before,
                                    std::max<std::int64_t>(at > size ? at : size - after, before));
  };
  const std::int64_t l = inside(left, bitmap.width);
  const std::int64_t r = inside(right, bitmap.width);
  const std::int64_t t = inside(top, bitmap.height);
  const std::int64_t b = inside(bottom, bitmap.height);
  fill(bitmap, {l - before, t - before, r + after, t + after}, color);
  fill(bitmap, {l - before, b - before, r + after, b + after}, color);
  fill(bitmap, {l - before, t - before, l + after, b + after}, color);
  fill(bitmap, {r - before, t - before, r + after, b + after}, color);
}

void draw_line(Bitmap& bitmap, float x1, float y1, float x2, float y2, Color color, int thickness) {
  constexpr float kFar = 1e5F;  // points of a picture lie much nearer; what is clipped there is not in sight
  if (!std::isfinite(x1) || !std::isfinite(y1) || !std::isfinite(x2) || !std::isfinite(y2)) return;
  const auto near = [kFar](float value) { return std::clamp(value, -kFar, kFar); };
  const float across = near(x2) - near(x1);
  const float down = near(y2) - near(y1);
  const std::int64_t line = std::max(thickness, 1);
  const int steps = static_cast<int>(std::max({std::abs(across), std::abs(down), 1.0F}));
  for (int i = 0; i <= steps; ++i) {
    const float part = static_cast<float>(i) / static_cast<float>(steps);
    const std::int64_t left = pixel_of(near(x1) + across * part) - line / 2;
    const std::int64_t top = pixel_of(near(y1) + down * part) - line / 2;
    fill(bitmap, {left, top, left + line, top + line}, color);
  }
}

void draw_mark(Bitmap& bitmap, float x, float y, Color color, int thickness) {
  draw_line(bitmap, x, y, x, y, color, 3 * std::max(thickness, 1));
}

void tint(Bitmap& bitmap, std::span<const Color> colors) {
  BASCULE_CHECK(colors.size() * 3 == bitmap.pixels.size());
  auto pixel = bitmap.pixels.begin();
  for (const Color& color : colors) {
    for (const std::uint8_t part : color) {
      *pixel = static_cast<std::uint8_t>((*pixel + part + 1) / 2);
      ++pixel;
    }
  }
}

void draw_label(Bitmap& bitmap, int x, int y, std::string_view text, Color ground, int scale) {
  const std::int64_t unit = std::max(scale, 1);
  const std::int64_t margin = unit + unit / 2;
  // What does not fit is not drawn; a longer text would only cost time.
  text = text.substr(0, static_cast<std::size_t>(bitmap.width / (kGlyphAdvance * unit) + 1));
  const std::int64_t width = (static_cast<std::int64_t>(text.size()) * kGlyphAdvance - 1) * unit + 2 * margin;
  const std::int64_t height = kGlyphHeight * unit + 2 * margin;
  const std::int64_t left = std::max<std::int64_t>(0, std::min<std::int64_t>(x, bitmap.width - width));
  const std::int64_t top = std::max<std::int64_t>(0, std::min<std::int64_t>(y, bitmap.height) - height);
  fill(bitmap, {left, top, left + width, top + height}, ground);
  const Color letters = letters_on(ground);
  std::int64_t pen = left + margin;
  for (const char character : text) {
    const auto rows = glyph(character);
    for (int row = 0; row < kGlyphHeight; ++row) {
      const std::int64_t at = top + margin + row * unit;
      for (int column = 0; column < kGlyphWidth; ++column) {
        if ((rows[static_cast<std::size_t>(row)] >> (kGlyphWidth - 1 - column) & 1) == 0) continue;
        const std::int64_t from = pen + column * unit;
        fill(bitmap, {from, at, from + unit, at + unit}, letters);
      }
    }
    pen += kGlyphAdvance * unit;
  }
}

}  // namespace bascule::image

#pragma once

#include <array>
#include <cstdint>

// Private to this room: a small font of our own for labels.
namespace bascule::image {

inline constexpr int kGlyphWidth = 5;
inline constexpr int kGlyphHeight = 8;   // capitals stand on the seventh row, the eighth is for descenders
inline constexpr int kGlyphAdvance = 6;  // with the gap to the next

// The rows of a glyph from the top, five bits each, the highest one leftmost. What is not printable ASCII is
// '?'.
[[nodiscard]] std::array<std::uint8_t, kGlyphHeight> glyph(char character);

}  // namespace bascule::image

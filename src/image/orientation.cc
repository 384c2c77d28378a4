#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "image/byte_reader.h"
#include "image/decoders.h"

namespace bascule::image {
namespace {

constexpr std::size_t kChannels = 3;

void mirror_rows(Bitmap& bitmap) {  // left <-> right
  const auto width = static_cast<std::size_t>(bitmap.width);
  for (int y = 0; y < bitmap.height; ++y) {
    std::uint8_t* row = bitmap.row(y);
    for (std::size_t a = 0, b = width - 1; a < b; ++a, --b) {
      std::swap_ranges(row + kChannels * a, row + kChannels * a + kChannels, row + kChannels * b);
    }
  }
}

void flip(Bitmap& bitmap) {  // top <-> bottom
  for (int a = 0, b = bitmap.height - 1; a < b; ++a, --b) {
    std::swap_ranges(bitmap.row(a), bitmap.row(a) + bitmap.row_bytes(), bitmap.row(b));
  }
}

// Rows become columns, in square blocks so that both sides stay in the cache.
Bitmap transposed(const Bitmap& bitmap, bool from_right, bool from_bottom) {
  Bitmap out;
  out.height = bitmap.width;
  out.width = bitmap.height;
  out.pixels.resize(bitmap.pixels.size());
  constexpr int kBlock = 32;
  for (int block_y = 0; block_y < out.height; block_y += kBlock) {
    const int end_y = std::min(block_y + kBlock, out.height);
    for (int block_x = 0; block_x < out.width; block_x += kBlock) {
      const int end_x = std::min(block_x + kBlock, out.width);
      for (int y = block_y; y < end_y; ++y) {
        const int column = from_right ? bitmap.width - 1 - y : y;
        std::uint8_t* to = out.row(y) + kChannels * static_cast<std::size_t>(block_x);
        for (int x = block_x; x < end_x; ++x, to += kChannels) {
          const int row = from_bottom ? bitmap.height - 1 - x : x;
          std::memcpy(to, bitmap.row(row) + kChannels * static_cast<std::size_t>(column), kChannels);
        }
      }
    }
  }
  return out;
}

}  // namespace

int exif_orientation(std::span<const std::byte> tiff) {
  Order order = Order::kLittle;
  const ByteReader start(tiff);
  if (start.has(0, "MM")) {
    order = Order::kBig;
  } else if (!start.has(0, "II")) {
    return 1;
  }
  const ByteReader reader(tiff, order);
  constexpr std::uint16_t kTiffMark = 42;
  if (reader.u16(2) != kTiffMark) return 1;
  const auto directory = reader.u32(4);
  if (!directory) return 1;
  const auto entries = reader.u16(*directory);
  if (!entries) return 1;
  constexpr std::size_t kEntrySize = 12;
  constexpr std::uint16_t kOrientationTag = 0x0112;
  for (std::size_t i = 0; i < *entries; ++i) {
    const std::size_t entry = std::size_t{*directory} + 2 + i * kEntrySize;
    const auto tag = reader.u16(entry);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const auto value = reader.u16(entry + 8);
    return value && *value >= 1 && *value <= 8 ? *value : 1;
  }
  return 1;
}

void apply_orientation(Bitmap& bitmap, int orientation) {
  switch (orientation) {
    case 2: mirror_rows(bitmap); break;
    case 3:
      flip(bitmap);
      mirror_rows(bitmap);
      break;
    case 4: flip(bitmap); break;
    case 5: bitmap = transposed(bitmap, false, false); break;
    case 6: bitmap = transposed(bitmap, false, true); break;
    case 7: bitmap = transposed(bitmap, true, true); break;
    case 8: bitmap = transposed(bitmap, true, false); break;
    default: break;
  }
}

}  // namespace bascule::image

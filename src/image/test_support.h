#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "image/bitmap.h"

// For this room's tests only; the same generators stand in tests/data/make_pictures.py.
namespace bascule::image::test {

inline std::filesystem::path data_dir() { return std::filesystem::path(BASCULE_SOURCE_DIR) / "tests/data"; }

inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(file)), {});
  const auto bytes = std::as_bytes(std::span(chars));
  return {bytes.begin(), bytes.end()};
}

inline std::string fnv1a(std::span<const std::byte> bytes) {
  std::uint64_t value = 0xCBF29CE484222325;
  for (const std::byte byte : bytes) value = (value ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[value >> shift & 15];
  return text;
}

inline Bitmap noise(std::uint64_t seed, int height, int width) {
  Bitmap bitmap;
  bitmap.height = height;
  bitmap.width = width;
  bitmap.pixels.resize(bitmap.row_bytes() * static_cast<std::size_t>(height));
  std::uint64_t state = seed;
  for (std::uint8_t& value : bitmap.pixels) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    value = static_cast<std::uint8_t>(state >> 56);
  }
  return bitmap;
}

}  // namespace bascule::image::test

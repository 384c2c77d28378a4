#include "protocol/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace bascule::protocol {
namespace {

constexpr std::uint8_t kNone = 0xFF;

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::uint8_t, 256> make_table() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNone);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}

constexpr std::array<std::uint8_t, 256> kTable = make_table();

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const std::size_t used = at + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t value = i < used ? kTable[static_cast<unsigned char>(text[at + i])] : 0;
      if (value == kNone) return std::nullopt;
      bits = bits << 6U | value;
    }
    // What the padding leaves over has to be zero: one text for one value.
    if (used < 4 && (bits & ((1U << (8 * (4 - used))) - 1U)) != 0) return std::nullopt;
    for (std::size_t i = 0; i + 1 < used; ++i) out += static_cast<char>(bits >> (16 - 8 * i) & 0xFFU);
  }
  return out;
}

void append_base64(std::string& out, std::span<const std::byte> bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t there = std::min<std::size_t>(bytes.size() - at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8U | (i < there ? std::to_integer<std::uint32_t>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) out += i <= there ? kAlphabet[bits >> (18 - 6 * i) & 0x3FU] : '=';
  }
}

}  // namespace bascule::protocol

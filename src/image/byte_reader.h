#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

// Private to this room: numbers out of untrusted bytes. Every read says whether it lay inside.
namespace bascule::image {

enum class Order { kLittle, kBig };

// Thread-safety: a value; the bytes must outlive it.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes, Order order = Order::kLittle)
      : bytes_(bytes), order_(order) {}

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::optional<std::uint8_t> u8(std::size_t at) const {
    if (at >= bytes_.size()) return std::nullopt;
    return std::to_integer<std::uint8_t>(bytes_[at]);
  }
  [[nodiscard]] std::optional<std::uint16_t> u16(std::size_t at) const {
    const auto value = number(at, 2);
    if (!value) return std::nullopt;
    return static_cast<std::uint16_t>(*value);
  }
  [[nodiscard]] std::optional<std::uint32_t> u24(std::size_t at) const { return number(at, 3); }
  [[nodiscard]] std::optional<std::uint32_t> u32(std::size_t at) const { return number(at, 4); }
  // The bytes from `at` on are `text`.
  [[nodiscard]] bool has(std::size_t at, std::string_view text) const {
    return at <= bytes_.size() && bytes_.size() - at >= text.size() &&
           std::memcmp(bytes_.data() + at, text.data(), text.size()) == 0;
  }
  // `length` bytes from `at`, or as many as there are.
  [[nodiscard]] std::span<const std::byte> part(std::size_t at, std::size_t length) const {
    if (at >= bytes_.size()) return {};
    return bytes_.subspan(at, length < bytes_.size() - at ? length : bytes_.size() - at);
  }

 private:
  [[nodiscard]] std::optional<std::uint32_t> number(std::size_t at, std::size_t width) const {
    if (at > bytes_.size() || bytes_.size() - at < width) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t from = order_ == Order::kBig ? at + i : at + width - 1 - i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[from]);
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  Order order_;
};

}  // namespace bascule::image

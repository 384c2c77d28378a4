#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"
#include "tensor/tensor.h"

namespace bascule::http {

// The bytes of one request body, in memory that grows with what was really sent. One chosen byte lies on a
// 64-byte boundary, so that the first tensor of a binary request is aligned where it was read; behind the
// last byte are always kReadableBehind more that may be read (and mean nothing).
// Thread-safety: external until shared; then immutable.
class BodyBuffer {
 public:
  static constexpr std::size_t kReadableBehind = 64;

  struct Layout {
    std::size_t aligned_at = 0;  // index of the byte that lies on the boundary
    std::size_t announced = 0;   // length that the sender promised; 0: none
    std::size_t limit = 0;       // the body never grows beyond
  };

  // Empty again, with the memory kept.
  void reset(const Layout& layout);
  // Room for at least one more byte. What was announced is believed up to 1 MiB; beyond that memory only
  // doubles when it is full. Precondition: size() < limit. Errors: kResourceExhausted where the machine has
  // no memory.
  Result<std::span<std::byte>> room();
  // The first `count` bytes of the last room are filled.
  void commit(std::size_t count) { size_ += count; }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return size_ == 0 ? std::span<const std::byte>{} : std::span<const std::byte>(start(), size_);
  }

 private:
  struct alignas(tensor::kAlignment) Block {
    std::byte bytes[tensor::kAlignment];
  };
  [[nodiscard]] std::byte* start() const { return reinterpret_cast<std::byte*>(memory_.get()) + lead_; }

  std::unique_ptr<Block[]> memory_;
  std::size_t capacity_ = 0;  // of memory_
  Layout layout_;
  std::size_t lead_ = 0;  // unused bytes in front
  std::size_t size_ = 0;
};

}  // namespace bascule::http

#include "http/body_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "tensor/tensor.h"

namespace bascule::http {
namespace {

constexpr std::size_t kAlign = tensor::kAlignment;
constexpr std::size_t kFirst = 4096;           // what most JSON requests need
constexpr std::size_t kTrusted = 1ULL << 20U;  // an announced length up to this is taken at its word

constexpr std::size_t rounded_up(std::size_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

}  // namespace

void BodyBuffer::reset(const Layout& layout) {
  layout_ = layout;
  lead_ = (kAlign - layout.aligned_at % kAlign) % kAlign;
  size_ = 0;
}

Result<std::span<std::byte>> BodyBuffer::room() {
  const std::size_t around = lead_ + kReadableBehind;
  if (capacity_ <= around + size_) {
    const std::size_t first = std::clamp(layout_.announced, kFirst, kTrusted);
    const std::size_t wanted = std::min(std::max(size_ * 2, first), std::max(layout_.limit, size_ + 1));
    const std::size_t bytes = rounded_up(wanted + around);
    std::unique_ptr<std::byte[], Free> larger(static_cast<std::byte*>(std::aligned_alloc(kAlign, bytes)));
    if (larger == nullptr) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("There is no memory for a body of more than {} bytes now; try "
                                          "again later.",
                                          size_)};
    }
    if (size_ > 0) std::memcpy(larger.get() + lead_, memory_.get() + lead_, size_);
    memory_ = std::move(larger);
    capacity_ = bytes;
  }
  const std::size_t free = std::min(capacity_ - around, layout_.limit) - size_;
  return std::span(memory_.get() + lead_ + size_, free);
}

}  // namespace bascule::http

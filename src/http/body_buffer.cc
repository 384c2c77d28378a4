#include "http/body_buffer.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <fmt/format.h>

namespace bascule::http {
namespace {

constexpr std::size_t kAlign = tensor::kAlignment;
constexpr std::size_t kFirst = 4096;           // what most JSON requests need
constexpr std::size_t kTrusted = 1ULL << 20U;  // an announced length up to this is taken at its word

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
    const std::size_t blocks = (wanted + around + kAlign - 1) / kAlign;
    std::unique_ptr<Block[]> larger;
    try {
      larger = std::make_unique_for_overwrite<Block[]>(blocks);
    } catch (const std::bad_alloc&) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("There is no memory for a body of more than {} bytes now; try "
                                          "again later.",
                                          size_)};
    }
    if (size_ > 0) std::memcpy(reinterpret_cast<std::byte*>(larger.get()) + lead_, start(), size_);
    memory_ = std::move(larger);
    capacity_ = blocks * kAlign;
  }
  const std::size_t free = std::min(capacity_ - around, layout_.limit) - size_;
  return std::span(start() + size_, free);
}

}  // namespace bascule::http

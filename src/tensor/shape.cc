#include "tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bascule::tensor {
namespace {

constexpr std::size_t kMaxElements = std::size_t{1} << 48U;

Error too_many(std::span<const std::int64_t> shape) {
  return invalid_argument(fmt::format("Shape {} has more than 2^48 elements.", to_string(shape)),
                          Reason::kShapeMismatch);
}

}  // namespace

Result<std::size_t> element_count(std::span<const std::int64_t> shape) {
  if (shape.size() > kMaxRank) {
    return invalid_argument(
        fmt::format("A shape of {} dimensions was given; the limit is {}.", shape.size(), kMaxRank),
        Reason::kShapeMismatch);
  }
  std::size_t count = 1;
  bool zero = false;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) {
      return invalid_argument(
          fmt::format("Shape {} has the negative dimension {}.", to_string(shape), dimension),
          Reason::kShapeMismatch);
    }
    if (dimension == 0) {
      zero = true;
      continue;
    }
    if (__builtin_mul_overflow(count, static_cast<std::size_t>(dimension), &count) || count > kMaxElements) {
      return too_many(shape);
    }
  }
  return zero ? 0 : count;
}

Result<std::size_t> byte_count(std::span<const std::int64_t> shape, std::size_t element_size) {
  BASCULE_ASSIGN(const std::size_t count, element_count(shape));
  return count * element_size;  // at most 2^48 times 8
}

std::string to_string(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

bool matches(std::span<const std::int64_t> spec, std::span<const std::int64_t> shape) {
  if (spec.size() != shape.size()) return false;
  for (std::size_t i = 0; i < spec.size(); ++i) {
    if (spec[i] != kDynamic && spec[i] != shape[i]) return false;
  }
  return true;
}

}  // namespace bascule::tensor

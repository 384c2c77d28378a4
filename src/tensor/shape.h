#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::tensor {

// Dimensions, outermost first. In a model's spec -1 stands for "any"; in a tensor every dimension is 0 or
// more. An empty shape is a scalar: one element.
using Shape = std::vector<std::int64_t>;

inline constexpr std::int64_t kDynamic = -1;
inline constexpr std::size_t kMaxRank = 16;

// Number of elements. Errors: kInvalidArgument for a negative dimension, more than kMaxRank dimensions, or a
// product beyond 2^48.
Result<std::size_t> element_count(std::span<const std::int64_t> shape);

// element_count times the element size, checked alike.
Result<std::size_t> byte_count(std::span<const std::int64_t> shape, std::size_t element_size);

// "[1,3,640,640]".
[[nodiscard]] std::string to_string(std::span<const std::int64_t> shape);

// True where every dimension of `spec` is kDynamic or equals the one of `shape`, and the ranks are equal.
[[nodiscard]] bool matches(std::span<const std::int64_t> spec, std::span<const std::int64_t> shape);

}  // namespace bascule::tensor

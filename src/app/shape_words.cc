#include "app/shape_words.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace bascule::app {
namespace {

constexpr std::int64_t kLargest = 1'000'000;  // of one dimension

}  // namespace

Result<tensor::Shape> read_shape(std::string_view words) {
  tensor::Shape out;
  for (std::string_view rest = words;;) {
    const std::size_t sign = std::min(rest.find('x'), rest.size());
    const auto size = text::parse_int(rest.substr(0, sign));
    if (!size || *size < 1 || *size > kLargest || out.size() == tensor::kMaxRank) {
      return invalid_argument(
          fmt::format("'{}' is no shape; write up to {} sizes from 1 to {} with an x between them, such as "
                      "1x3x640x640.",
                      text::shortened(words), tensor::kMaxRank, kLargest));
    }
    out.push_back(*size);
    if (sign == rest.size()) return out;
    rest.remove_prefix(sign + 1);
  }
}

std::string shape_words(const tensor::Shape& shape) { return fmt::format("{}", fmt::join(shape, "x")); }

}  // namespace bascule::app

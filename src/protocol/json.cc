#include "protocol/json.h"

#include <array>
#include <charconv>
#include <cmath>

namespace bascule::protocol {
namespace {

// From here on std::to_chars may prefer an exponent ("1e+05"), which it does where that is shorter.
constexpr int kWholeBelow = 100'000;

template <class T>
void append_real(std::string& out, T value, NonFinite non_finite) {
  if (!std::isfinite(value)) [[unlikely]] {
    if (non_finite == NonFinite::kNull) {
      out += "null";
    } else if (std::isnan(value)) {
      out += "NaN";
    } else {
      out += value > 0 ? "Infinity" : "-Infinity";
    }
    return;
  }
  if (value == 0 && std::signbit(value)) {
    out += "-0.0";  // readers that take -0 for an integer would lose the sign
    return;
  }
  std::array<char, 32> text;
  // Class numbers, counts and pixels are whole: the same text at a tenth of the cost.
  const bool whole = std::abs(value) < kWholeBelow && value == std::trunc(value);
  const auto [end, code] =
      whole ? std::to_chars(text.data(), text.data() + text.size(), static_cast<std::int32_t>(value))
            : std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

template <class T>
void append_integer(std::string& out, T value) {
  std::array<char, 24> text;
  const auto [end, code] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

}  // namespace

void append_number(std::string& out, float value, NonFinite non_finite) {
  append_real(out, value, non_finite);
}
void append_number(std::string& out, double value, NonFinite non_finite) {
  append_real(out, value, non_finite);
}
void append_number(std::string& out, std::int64_t value) { append_integer(out, value); }
void append_number(std::string& out, std::uint64_t value) { append_integer(out, value); }

void append_rounded(std::string& out, double value, int decimals) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  // The longest double has 309 digits before the point.
  std::array<char, 352> text;
  auto result = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed,
                              std::min(std::max(decimals, 0), 20));
  double rounded = value;
  std::from_chars(text.data(), result.ptr, rounded);
  // repr() writes an exponent below 1e-4 and from 1e16 on, as "%r" of C Python does.
  const double size = std::abs(rounded);
  const bool scientific = size != 0 && (size < 1e-4 || size >= 1e16);
  result = std::to_chars(text.data(), text.data() + text.size(), rounded,
                         scientific ? std::chars_format::scientific : std::chars_format::fixed);
  const std::string_view written(text.data(), static_cast<std::size_t>(result.ptr - text.data()));
  out += written;
  if (!scientific && written.find('.') == std::string_view::npos) out += ".0";
}

}  // namespace bascule::protocol

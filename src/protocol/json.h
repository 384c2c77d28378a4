#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::protocol {

inline constexpr std::size_t kMaxJsonDepth = 100;

// How numbers that JSON does not know are written.
enum class NonFinite {
  kName,  // NaN, Infinity, -Infinity: outputs of v2 infer
  kNull,  // null: every other JSON
};

// Appends the shortest decimal text that reads back as the same value.
void append_number(std::string& out, float value, NonFinite non_finite);
void append_number(std::string& out, double value, NonFinite non_finite);
void append_number(std::string& out, std::int64_t value);
void append_number(std::string& out, std::uint64_t value);
// Appends `value` rounded half to even on its decimal text to `decimals` digits, as Python's round() then
// repr() of the float32's double value would print it: "0.94", "670.1", "3.0".
void append_rounded(std::string& out, double value, int decimals);

}  // namespace bascule::protocol

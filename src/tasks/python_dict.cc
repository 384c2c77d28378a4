#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/python_literal.h"

namespace bascule::tasks {
namespace {

constexpr std::size_t kMaxDict = std::size_t{1} << 20U;

// Entries that the Ultralytics package reads as values, not as text (ultralytics/nn/backends/base.py); all
// others stay text, so that a version "8.4" does not become a number.
constexpr std::array<std::string_view, 11> kValues = {"args",    "batch",  "channels",  "dynamic",
                                                      "end2end", "imgsz",  "kpt_names", "kpt_shape",
                                                      "names",   "stride", "half"};

// As Python's repr() writes a str, with what is no printable UTF-8 escaped.
std::string quoted(std::string_view value) {
  std::string out = "'";
  const bool clean = text::escape_controls(value) == value;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !clean)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string value_of(const std::string& key, const std::string& value) {
  const bool is_value = std::ranges::find(kValues, key) != kValues.end();
  if (!is_value || text::escape_controls(value) != value || !parse_python_literal(value))
    return quoted(value);
  return std::string(text::trimmed(value));
}

}  // namespace

std::string write_python_dict(const std::map<std::string, std::string>& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) {
    if (out.size() + value.size() > kMaxDict) return {};
    out += fmt::format("{}{}: {}", out.empty() ? "{" : ", ", quoted(key), value_of(key, value));
  }
  return out.empty() ? out : out + "}";
}

}  // namespace bascule::tasks

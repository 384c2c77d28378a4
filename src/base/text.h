#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bascule::text {

// `message` with control characters and invalid UTF-8 replaced by escapes: one line stays one line.
[[nodiscard]] std::string escape_controls(std::string_view message);
// `value` as a JSON string with its quotes (RFC 8259); invalid UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_quoted(std::string_view value);
// Appends what json_quoted gives.
void append_json_quoted(std::string& out, std::string_view value);
// "2.4 MB", "317 B": decimal units, one digit.
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
// At most `max` characters of a value from outside, for an error message; "…" where it was cut.
[[nodiscard]] std::string shortened(std::string_view value, std::size_t max = 80);
// The candidate with the least edit distance, where that is close enough to be a slip of the keyboard.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 std::span<const std::string> candidates);
[[nodiscard]] std::string to_lower(std::string_view value);
// ASCII letters alike in both cases.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string_view trimmed(std::string_view value);
[[nodiscard]] bool is_utf8(std::string_view value);
// Strict decimal readers: the whole text, no sign tricks, no overflow.
[[nodiscard]] std::optional<std::int64_t> parse_int(std::string_view value);
[[nodiscard]] std::optional<double> parse_double(std::string_view value);

}  // namespace bascule::text

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bascule::protocol {

// Reads standard base64 (RFC 4648, section 4) with its padding; nothing where it is anything else, white
// space included.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

// Standard base64 with its padding, at the end of `out`.
void append_base64(std::string& out, std::span<const std::byte> bytes);

}  // namespace bascule::protocol

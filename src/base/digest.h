#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule {

// SHA-256 of a file, 64 lower-case hexadecimal digits. Errors: kNotFound, kInvalidArgument where it cannot be
// read.
Result<std::string> file_digest(const std::filesystem::path& file);

// SHA-256 of `bytes`, 64 lower-case hexadecimal digits.
[[nodiscard]] std::string digest_of(std::string_view bytes);

// HMAC-SHA256 (RFC 2104) under `key` of the parts, one behind the other: 64 lower-case hexadecimal digits.
[[nodiscard]] std::string keyed_digest(std::string_view key, std::span<const std::string_view> parts);

}  // namespace bascule

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule {

// Reads a whole regular file, or standard input to its end where `path` is "-".
// Errors: kNotFound, kPayloadTooLarge beyond `max_bytes` (checked before reading), kInvalidArgument for what
// is no regular file.
Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// Writes a file whole or not at all: a temporary beside it, then a rename.
Result<void> write_file(const std::filesystem::path& path, std::string_view bytes);

// The one way from a name that came from outside to a path below `root`. Refuses absolute names, "..", NUL,
// empty parts, names over 255 bytes, and whatever leaves `root` through a symbolic link.
Result<std::filesystem::path> safe_join(const std::filesystem::path& root, std::string_view name);

// True for what may name a model: 1 to 128 of letters, digits, '_', '-', '.', not starting with '.' or '-'.
[[nodiscard]] bool valid_model_name(std::string_view name);

}  // namespace bascule

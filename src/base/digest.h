#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace bascule {

// SHA-256 of a file, 64 lower-case hexadecimal digits. Errors: kNotFound, kInvalidArgument where it cannot be
// read.
Result<std::string> file_digest(const std::filesystem::path& file);

}  // namespace bascule

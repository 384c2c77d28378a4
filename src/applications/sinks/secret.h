#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace bascule::applications {

// What the file says, without the line end behind it. Never logged. Errors: of read_file; kInvalidArgument
// where nothing stands in it, or more than 4,096 bytes.
Result<std::string> read_secret(const std::filesystem::path& file);

}  // namespace bascule::applications

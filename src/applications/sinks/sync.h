#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace bascule::applications {

// All of `bytes` into an open file; `shown` is its name for messages. Errors: kResourceExhausted for a full
// disk, kUnavailable else.
Result<void> write_all(int descriptor, std::string_view bytes, const std::filesystem::path& shown);

// Until the names in the folder are on the disk; empty is the current one. Errors: kUnavailable.
Result<void> sync_folder(const std::filesystem::path& folder);

}  // namespace bascule::applications

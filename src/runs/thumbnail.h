#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::runs {

// The picture of this file as a small JPEG, its longer side at most `side` pixels, with the boxes and names
// of an answer (as Asker::ask_picture gives it) drawn on it. Errors: of read_file and image::decode.
Result<std::vector<std::byte>> thumbnail(const std::string& path, const std::string& answer, int side,
                                         std::uint64_t max_pixels);

}  // namespace bascule::runs

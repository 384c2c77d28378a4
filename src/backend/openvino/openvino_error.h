#pragma once

// Private to this folder: OpenVINO's failures in our words.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::backend::openvino {

// What OpenVINO said, without the places in its sources and the conditions that were checked there.
[[nodiscard]] std::string plain_words(std::string_view message);

// Why `file` could not be loaded, as one sentence that names the file without its folder.
[[nodiscard]] Error load_error(const std::filesystem::path& file, std::string_view message);

// Why a run failed: kResourceExhausted where memory ran out, else kInvalidArgument, since the file itself was
// compiled at load.
[[nodiscard]] Error run_error(std::string_view message);

}  // namespace bascule::backend::openvino

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "video/descriptor.h"

namespace bascule::video {

// For tests: where ffmpeg is; nothing where it is not installed.
[[nodiscard]] std::optional<std::string> ffmpeg_here();

// A clip of ffmpeg's test picture, written in `format` as a stream; `more`: further words for its encoder.
// Precondition: ffmpeg is here.
[[nodiscard]] std::vector<std::byte> make_clip(
    const std::string& format, const std::vector<std::string>& more = {},
    const std::string& source = "testsrc=size=64x48:rate=10:duration=1");

}  // namespace bascule::video

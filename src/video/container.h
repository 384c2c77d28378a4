#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace bascule::video {

// What ffmpeg calls the reader of a video file that begins so: "mov" (MP4, MOV, 3GP), "matroska" (also WebM),
// "avi", "mpegts", "mpeg", "flv", "asf" (also WMV), "ogg". Empty for everything else, lists of other files
// among it. The first kContainerHead bytes are enough.
[[nodiscard]] std::string_view demuxer_of(std::span<const std::byte> head);

inline constexpr std::size_t kContainerHead = 512;

}  // namespace bascule::video

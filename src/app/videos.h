#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/option.h"
#include "serving/frames.h"
#include "video/descriptor.h"
#include "video/reader.h"

namespace bascule::app {

// How videos are read: by the program that --ffmpeg names, looked for when one comes. Errors: of
// video::find_ffmpeg.
Result<video::ReaderOptions> reader_options(const config::Values& values);

// Until when the frames of a video are wanted.
struct FramesWanted {
  std::optional<TimePoint> deadline = {};
  std::function<bool()> gone = nullptr;  // whether nobody wants more; may be null
};

// Opens a video and gives its frames. `clock` outlives them. Errors: of video::Reader.
Result<serving::NextFrame> open_frames(video::Descriptor file, video::ReaderOptions options,
                                       FramesWanted wanted, const Clock& clock);

}  // namespace bascule::app

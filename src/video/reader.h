#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "image/bitmap.h"
#include "video/child.h"
#include "video/descriptor.h"
#include "video/frame_pipe.h"

namespace bascule::video {

struct ReaderOptions {
  std::string program;                     // path of ffmpeg, 5.1 or later
  std::uint64_t stride = 1;                // every so many-th frame: the stride-th is the first
  std::uint64_t max_pixels = 100'000'000;  // of a frame
  std::uint64_t max_frames = 0;            // that are read; 0: no limit
  Duration time_limit{};                   // from the opening to the last frame; 0: none
};

// The frames of a video file, one after the other, as OpenCV's VideoCapture reads them. ffmpeg decodes, in a
// child process with one thread, limits on memory and time, and no way to other files or the network. It is
// told what kind of file it reads by how the file begins, so a list of other files is none. It waits when
// nobody takes what it has made.
// Thread-safety: external (one thread).
class Reader {
 public:
  // Errors: kInvalidArgument with kBadPicture for what does not begin as a video; of Child::start. `clock`
  // outlives it.
  static Result<Reader> open(Descriptor file, ReaderOptions options, const Clock& clock);

  // The next frame, in `out`; false at the end. `stop`: asked now and then whether nobody wants it any more.
  // A damaged frame is passed over as far as ffmpeg can go on behind it.
  // Errors: kInvalidArgument with kBadPicture for a video without a frame, or that ends in an error;
  // kPayloadTooLarge beyond a limit; kCancelled. After one there is nothing to come.
  Result<bool> next(image::Bitmap& out, const std::function<bool()>& stop);

  [[nodiscard]] std::uint64_t frames() const { return frames_; }    // so far
  [[nodiscard]] pid_t child() const { return pipe_.child().id(); }  // 0: it has ended

 private:
  Reader(ReaderOptions options, const Clock& clock, Child child);
  [[nodiscard]] Result<Duration> wait(const std::function<bool()>& stop) const;
  [[nodiscard]] Result<void> check(const FramePipe::Size& size) const;
  Result<bool> finish();

  const ReaderOptions options_;
  const Clock& clock_;
  const TimePoint end_;
  FramePipe pipe_;
  std::uint64_t frames_ = 0;
};

}  // namespace bascule::video

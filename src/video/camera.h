#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "image/bitmap.h"
#include "video/frame_pipe.h"

namespace bascule::video {

// Where a camera is. `url` may hold a password; `shown` does not and is for logs, messages and pages.
// Thread-safety: a value.
struct CameraAddress {
  std::string url;    // "rtsp://…", "rtsps://…" or "/dev/videoN"
  std::string shown;  // without name and password, and without what is asked of the path
  bool device = false;
};

// Errors: kInvalidArgument with kBadPicture for everything but rtsp://, rtsps:// and /dev/videoN, and for
// characters that a URL writes with '%'. The message does not repeat what may be secret.
Result<CameraAddress> parse_camera(std::string_view text);

struct CameraOptions {
  std::string program;                        // path of ffmpeg, 5.1 or later
  double max_fps = 0;                         // frames beyond this are left out; 0: none are
  std::uint64_t max_pixels = 100'000'000;     // of a frame
  Duration stall = std::chrono::seconds(10);  // without a frame: it is taken to be dead
  int width = 0;                              // of the frames; 0: as the camera gives them
  int height = 0;
  bool udp = false;  // RTSP's pictures by UDP; else within its TCP connection
};

// The frames of a camera from when it is opened, until it fails. ffmpeg decodes, in a child process with one
// thread and a limit on memory. The address is told to it through a file in memory that it has open, so that
// a password stands in no list of processes. Certificates of rtsps:// are not checked: ffmpeg does not.
// Whoever opens it has to take frames at the camera's pace, else they come late.
// Thread-safety: external (one thread).
class Camera {
 public:
  // Errors: of Child::start. `clock` outlives it.
  static Result<Camera> open(CameraAddress address, CameraOptions options, const Clock& clock);

  // The next frame, in `out`. `stop`: asked now and then whether nobody wants it any more. Errors:
  // kCancelled; kUnavailable where the camera cannot be reached, has ended, or gave no frame for too long;
  // kPayloadTooLarge. After one there is nothing to come.
  Result<void> next(image::Bitmap& out, const std::function<bool()>& stop);

  [[nodiscard]] pid_t child() const { return pipe_.child().id(); }  // 0: it has ended

 private:
  Camera(CameraAddress address, CameraOptions options, const Clock& clock, Child child);
  [[nodiscard]] Result<Duration> wait(const std::function<bool()>& stop) const;
  Error ended();

  const CameraAddress address_;
  const CameraOptions options_;
  const Clock& clock_;
  FramePipe pipe_;
  TimePoint last_;  // frame, or the opening
};

// The arguments of ffmpeg for a camera, the program first. Seen by everyone on the machine.
[[nodiscard]] std::vector<std::string> camera_words(const CameraAddress& address,
                                                    const CameraOptions& options);
// What ffmpeg reads of an RTSP camera's address, as its concat demuxer takes it.
[[nodiscard]] std::string camera_list(const CameraAddress& address, const CameraOptions& options);

}  // namespace bascule::video

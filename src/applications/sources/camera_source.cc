#include "applications/sources/camera_source.h"

#include <chrono>
#include <utility>

#include "applications/pause.h"
#include "applications/sources/retrying_source.h"
#include "applications/sources/video_source.h"
#include "base/date.h"

namespace bascule::applications {

Result<std::unique_ptr<Source>> CameraSource::open(const CameraSourceOptions& options, const Clock& clock) {
  BASCULE_ASSIGN(video::Camera camera, video::Camera::open(options.address, options.camera, clock));
  return std::unique_ptr<Source>(std::make_unique<CameraSource>(options, std::move(camera)));
}

Result<std::optional<Frame>> CameraSource::next(const Stop& stop) {
  const auto bitmap = std::make_shared<image::Bitmap>();
  if (const Result<void> got = camera_.next(*bitmap, stop); !got) {
    if (got.error().code == Code::kCancelled) return stopped();
    state_.with([&](SourceState& s) {
      s.status = SourceStatus::kFailed;
      s.error = got.error().message;
    });
    return got.error();
  }
  state_.with([](SourceState& s) { ++s.frames; });
  return std::optional(
      Frame{.picture = picture_of(bitmap),
            .source = source_,
            .number = ++number_,
            .time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(unix_time()).count()});
}

std::unique_ptr<Source> watch_camera(CameraSourceOptions options, const BackOffOptions& back_off,
                                     const Clock& clock) {
  RetryingOptions retrying{
      .source = options.source, .live = true, .endless = true, .after = options.after, .back_off = back_off};
  return std::make_unique<RetryingSource>(
      std::move(retrying),
      [options = std::move(options), &clock](std::uint64_t after) mutable {
        options.after = after;
        return CameraSource::open(options, clock);
      },
      clock);
}

}  // namespace bascule::applications

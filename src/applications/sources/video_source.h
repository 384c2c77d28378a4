#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "applications/source.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "video/reader.h"

namespace bascule::applications {

struct VideoOptions {
  std::string source;  // the name that frames carry
  std::string file;
  video::ReaderOptions reader;
  std::uint64_t after = 0;  // the frame that was handled last; those before are read and not given
  double fps = 25;          // how far apart the frames' times are; the first is as old as the file
};

// The frames of a video file, as fast as they are taken.
// Thread-safety: as Source.
class VideoSource final : public Source {
 public:
  // Errors: of video::open_file and video::Reader. `clock` outlives it.
  static Result<std::unique_ptr<Source>> open(VideoOptions options, const Clock& clock);
  VideoSource(VideoOptions options, video::Reader reader, std::int64_t start_ms)
      : options_(std::move(options)), reader_(std::move(reader)), start_ms_(start_ms) {}

  // Errors beside those of Source::next: of video::Reader::next.
  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override {
    return state_.with([](const auto& s) { return s; });
  }
  [[nodiscard]] bool live() const override { return false; }

 private:
  const VideoOptions options_;
  video::Reader reader_;
  const std::int64_t start_ms_;
  Guarded<SourceState> state_;
};

// A frame of a video as a picture; its pixels are shared, not copied.
[[nodiscard]] content::EncodedPicture picture_of(std::shared_ptr<image::Bitmap> bitmap);

}  // namespace bascule::applications

#include "app/videos.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <utility>

#include "image/bitmap.h"
#include "video/program.h"

namespace bascule::app {
namespace {

Result<std::optional<content::EncodedPicture>> next_frame(video::Reader& reader, const FramesWanted& wanted,
                                                          const Clock& clock) {
  const auto late = [&] { return wanted.deadline && clock.now() >= *wanted.deadline; };
  const auto bitmap = std::make_shared<image::Bitmap>();
  const Result<bool> more = reader.next(*bitmap, [&] { return late() || (wanted.gone && wanted.gone()); });
  if (!more && more.error().code == Code::kCancelled && late()) {
    return Error{.code = Code::kDeadlineExceeded,
                 .message = "The request's time was over before the video was at its end."};
  }
  if (!more) return more.error();
  if (!*more) return std::optional<content::EncodedPicture>();
  return std::optional(
      content::EncodedPicture{.bytes = std::as_bytes(std::span(bitmap->pixels)),
                              .owner = bitmap,
                              .name = {},
                              .raw = content::PictureSize{.height = bitmap->height, .width = bitmap->width}});
}

}  // namespace

Result<video::ReaderOptions> reader_options(const config::Values& values) {
  const char* const path = std::getenv("PATH");
  video::ReaderOptions options;
  BASCULE_ASSIGN(options.program,
                 video::find_ffmpeg(values.text("ffmpeg"), path != nullptr ? path : "/usr/bin:/bin"));
  options.max_pixels = static_cast<std::uint64_t>(values.integer("max_pixels"));
  return options;
}

Result<serving::NextFrame> open_frames(video::Descriptor file, video::ReaderOptions options,
                                       FramesWanted wanted, const Clock& clock) {
  BASCULE_ASSIGN(video::Reader opened, video::Reader::open(std::move(file), std::move(options), clock));
  return [reader = std::move(opened), wanted = std::move(wanted), &clock]() mutable {
    return next_frame(reader, wanted, clock);
  };
}

}  // namespace bascule::app

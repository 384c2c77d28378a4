#include "applications/sources/video_source.h"

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "applications/pause.h"

namespace bascule::applications {
namespace {

// When the file was written, since 1970 UTC; 0 where that is not known.
std::int64_t written_ms(const std::string& file) {
  std::error_code code;
  const auto written = std::filesystem::last_write_time(file, code);
  if (code) return 0;
  const auto since = std::chrono::file_clock::to_sys(written).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

}  // namespace

content::EncodedPicture picture_of(std::shared_ptr<image::Bitmap> bitmap) {
  const auto bytes = std::as_bytes(std::span(bitmap->pixels));
  const content::PictureSize size{.height = bitmap->height, .width = bitmap->width};
  return {.bytes = bytes, .owner = std::move(bitmap), .name = {}, .raw = size};
}

Result<std::unique_ptr<Source>> VideoSource::open(VideoOptions options, const Clock& clock) {
  BASCULE_ASSIGN(video::Descriptor file, video::open_file(options.file));
  BASCULE_ASSIGN(video::Reader reader, video::Reader::open(std::move(file), options.reader, clock));
  const std::int64_t start_ms = written_ms(options.file);
  return std::unique_ptr<Source>(
      std::make_unique<VideoSource>(std::move(options), std::move(reader), start_ms));
}

Result<std::optional<Frame>> VideoSource::next(const Stop& stop) {
  const auto bitmap = std::make_shared<image::Bitmap>();
  do {
    const Result<bool> more = reader_.next(*bitmap, stop);
    if (!more && more.error().code == Code::kCancelled) return stopped();
    state_.with([&](SourceState& s) {
      if (!more) s.error = more.error().message;
      if (!more || !*more) s.status = more ? SourceStatus::kEnded : SourceStatus::kFailed;
    });
    if (!more) return more.error();
    if (!*more) return std::optional<Frame>();
  } while (reader_.frames() <= options_.after);
  const std::uint64_t number = reader_.frames();
  state_.with([](SourceState& s) { ++s.frames; });
  return std::optional(Frame{
      .picture = picture_of(bitmap),
      .source = options_.source,
      .number = number,
      .time_ms =
          start_ms_ + static_cast<std::int64_t>(static_cast<double>(number - 1) * 1000 / options_.fps)});
}

}  // namespace bascule::applications

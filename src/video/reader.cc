#include "video/reader.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "video/container.h"

namespace bascule::video {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(50);  // whether it is still wanted

Error bad_video(std::string message) { return invalid_argument(std::move(message), Reason::kBadPicture); }

Error too_large(std::string message, std::uint64_t got, std::uint64_t limit) {
  return {.code = Code::kPayloadTooLarge,
          .message = std::move(message),
          .reason = Reason::kBadPicture,
          .fields = {.got = std::to_string(got), .limit = std::to_string(limit)}};
}

Error too_many_pixels(std::uint64_t width, std::uint64_t height, std::uint64_t limit) {
  return too_large(
      fmt::format("The video's frames have {} x {} = {} pixels; the limit is {}. Send a smaller video "
                  "or raise --max-pixels.",
                  width, height, width * height, limit),
      width * height, limit);
}

std::vector<std::string> words_of(const ReaderOptions& options, std::string_view demuxer) {
  std::vector<std::string> words = {options.program, "-nostdin", "-hide_banner", "-loglevel", "error",
                                    // The input: this one file, of this kind.
                                    "-protocol_whitelist", "file", "-f", std::string(demuxer), "-threads",
                                    "1", "-max_pixels", std::to_string(options.max_pixels), "-i",
                                    fmt::format("file:/proc/self/fd/{}", Child::kInput),
                                    // The output: each frame with a header that tells its size.
                                    "-map", "0:v:0", "-filter_threads", "1", "-fps_mode", "passthrough"};
  if (options.stride > 1) {
    words.insert(words.end(), {"-vf", fmt::format("select=not(mod(n+1\\,{}))", options.stride)});
  }
  // One more than may be: so that it is noticed.
  if (options.max_frames > 0)
    words.insert(words.end(), {"-frames:v", std::to_string(options.max_frames + 1)});
  const std::vector<std::string> output = frame_pipe_words();
  words.insert(words.end(), output.begin(), output.end());
  return words;
}

// Its last line, without what means nothing to a caller: addresses in brackets and the name of the file.
std::string last_words(std::string_view said) {
  said = last_line(said);
  const std::string file = fmt::format("file:/proc/self/fd/{}: ", Child::kInput);
  if (said.starts_with(file)) said.remove_prefix(file.size());
  return text::escape_controls(text::shortened(said, 200));
}

// The size in "Picture size 320x240 exceeds specified max pixel count".
std::optional<std::pair<std::uint64_t, std::uint64_t>> refused_size(std::string_view said) {
  constexpr std::string_view kBefore = "Picture size ";
  const std::size_t at = said.find(kBefore);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = said.substr(at + kBefore.size());
  const auto width = number_in(rest, 'x');
  const auto height = number_in(rest, ' ');
  if (!width || !height || *width > kMaxSide || *height > kMaxSide) return std::nullopt;
  return std::pair(*width, *height);
}

}  // namespace

Reader::Reader(ReaderOptions options, const Clock& clock, Child child)
    : options_(std::move(options)),
      clock_(clock),
      end_(options_.time_limit > Duration{} ? clock.now() + options_.time_limit : TimePoint::max()),
      pipe_(std::move(child)) {}

Result<Reader> Reader::open(Descriptor file, ReaderOptions options, const Clock& clock) {
  std::array<std::byte, kContainerHead> head{};
  const ssize_t count = ::pread(file.number(), head.data(), head.size(), 0);
  const auto known = std::span(head).first(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  const std::string_view demuxer = demuxer_of(known);
  if (demuxer.empty()) {
    return bad_video(
        "This is no video that can be read: it does not begin as MP4, MOV, Matroska, WebM, AVI, MPEG, FLV, "
        "ASF or "
        "Ogg files do. Convert it to one of these.");
  }
  BASCULE_ASSIGN(Child child,
                 Child::start(words_of(options, demuxer), file, {.cpu_time = options.time_limit}));
  return Reader(std::move(options), clock, std::move(child));
}

Result<Duration> Reader::wait(const std::function<bool()>& stop) const {
  if (stop()) {
    return Error{.code = Code::kCancelled,
                 .message = "The caller went away before the video was at its end."};
  }
  const TimePoint now = clock_.now();
  if (now >= end_) {
    return too_large(
        fmt::format("The video was not read to its end within {:g} s, the limit: {} frames were. Send "
                    "a shorter one or raise --max-video-seconds.",
                    to_seconds(options_.time_limit), frames_),
        frames_, static_cast<std::uint64_t>(to_seconds(options_.time_limit)));
  }
  return std::clamp<Duration>(end_ - now, std::chrono::milliseconds(1), kLookEvery);
}

Result<void> Reader::check(const FramePipe::Size& size) const {
  if (options_.max_frames > 0 && frames_ == options_.max_frames) {
    return too_large(
        fmt::format("The video has more than {} frames, the limit{}. Send a shorter one, ask for fewer "
                    "frames with vid_stride, or raise --max-video-frames.",
                    options_.max_frames,
                    options_.stride > 1 ? fmt::format(" (one of {} was taken)", options_.stride) : ""),
        options_.max_frames + 1, options_.max_frames);
  }
  if (size.width > kMaxSide || size.height > kMaxSide || size.width * size.height > options_.max_pixels) {
    return too_many_pixels(size.width, size.height, options_.max_pixels);
  }
  return {};
}

Result<bool> Reader::next(image::Bitmap& out, const std::function<bool()>& stop) {
  if (pipe_.child().id() == 0) return false;
  BASCULE_ASSIGN(
      const FramePipe::Got got,
      pipe_.next(out, [&] { return wait(stop); }, [&](const FramePipe::Size& size) { return check(size); }));
  if (got != FramePipe::Got::kFrame) return finish();
  ++frames_;
  return true;
}

Result<bool> Reader::finish() {
  const Child::End end = pipe_.child().wait();
  if (const auto size = refused_size(end.said)) {
    return too_many_pixels(size->first, size->second, options_.max_pixels);
  }
  const bool limited = options_.time_limit > Duration{};
  if (limited && (end.signal == SIGXCPU || end.signal == SIGKILL)) {
    return too_large(
        fmt::format("Reading the video took more than {:g} s of processor time, the limit, after {} "
                    "frames. Send a shorter one or raise --max-video-seconds.",
                    to_seconds(options_.time_limit), frames_),
        frames_, static_cast<std::uint64_t>(to_seconds(options_.time_limit)));
  }
  if (end.exit_code == 0 && frames_ > 0) return false;
  const std::string words = end.signal != 0
                                ? fmt::format("the program that reads it was ended by signal {}", end.signal)
                                : last_words(end.said);
  return bad_video(fmt::format("The video {}{}{}.",
                               frames_ == 0 ? "has no frame that can be read"
                                            : fmt::format("can only be read up to frame {}", frames_),
                               words.empty() ? "" : ": ", words));
}

}  // namespace bascule::video

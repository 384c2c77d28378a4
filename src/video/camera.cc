#include "video/camera.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::video {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(50);  // whether it is still wanted
constexpr std::size_t kLongestUrl = 2048;
constexpr std::size_t kMostDigits = 3;  // of /dev/videoN
constexpr std::string_view kDevice = "/dev/video";
// RFC 3986 without the quote, which ends a word of ffmpeg's list.
constexpr std::string_view kMarks = "-._~:/?#[]@!$&()*+,;=%";

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}

Error no_camera(std::string message) { return invalid_argument(std::move(message), Reason::kBadPicture); }

std::string without(std::string text, std::string_view secret, std::string_view instead) {
  if (secret.empty()) return text;
  for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += instead.size()) {
    text.replace(at, secret.size(), instead);
  }
  return text;
}

// What ffmpeg said, without anything secret.
std::string shown_words(std::string_view said, const CameraAddress& address) {
  std::string words(last_line(said));
  words = without(std::move(words), fmt::format("file:/proc/self/fd/{}: ", Child::kInput), "");
  words = without(std::move(words), address.url, address.shown);
  const std::size_t at = address.url.find('@');
  const std::size_t host = address.url.find("://");
  if (!address.device && at != std::string::npos && host != std::string::npos && at > host) {
    words = without(std::move(words), std::string_view(address.url).substr(host + 3, at - host - 3), "…");
  }
  return text::escape_controls(text::shortened(words, 200));
}

}  // namespace

Result<CameraAddress> parse_camera(std::string_view text) {
  if (text.starts_with(kDevice)) {
    const std::string_view digits = text.substr(kDevice.size());
    const bool fits = !digits.empty() && digits.size() <= kMostDigits &&
                      digits.find_first_not_of("0123456789") == std::string_view::npos;
    if (!fits) {
      return no_camera(fmt::format("'{}' is no camera of this machine; those are /dev/video0 and so on.",
                                   text::escape_controls(text::shortened(text))));
    }
    return CameraAddress{.url = std::string(text), .shown = std::string(text), .device = true};
  }
  const std::size_t scheme = text.starts_with("rtsp://") ? 7 : text.starts_with("rtsps://") ? 8 : 0;
  if (scheme == 0) {
    return no_camera(
        "A camera is rtsp://HOST/PATH, rtsps://HOST/PATH or a device of this machine, /dev/video0; this is "
        "none of these.");
  }
  if (text.size() > kLongestUrl) {
    return no_camera(
        fmt::format("The camera's address has {} characters; the limit is {}.", text.size(), kLongestUrl));
  }
  if (const auto odd = std::ranges::find_if_not(text, is_plain); odd != text.end()) {
    return no_camera(fmt::format(
        "Character {} of the camera's address cannot stand in a URL; write it as '%' and two hexadecimal "
        "digits, also in a password.",
        odd - text.begin() + 1));
  }
  std::string_view rest = text.substr(scheme);
  const std::size_t path = std::min(rest.find_first_of("/?#"), rest.size());
  const std::size_t at = rest.substr(0, path).rfind('@');
  if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  const std::size_t host_end = std::min(rest.find_first_of("/?#"), rest.size());
  if (host_end == 0 || rest.front() == ':') {
    return no_camera("The camera's address names no host; it is rtsp://HOST/PATH.");
  }
  const std::size_t question = std::min(rest.find_first_of("?#"), rest.size());
  return CameraAddress{.url = std::string(text),
                       .shown = fmt::format("{}{}{}", text.substr(0, scheme), rest.substr(0, question),
                                            question < rest.size() ? "?…" : "")};
}

std::string camera_list(const CameraAddress& address, const CameraOptions& options) {
  const auto stall_us = std::chrono::duration_cast<std::chrono::microseconds>(options.stall).count();
  return fmt::format(
      "ffconcat version 1.0\nfile '{}'\noption rtsp_transport {}\noption timeout {}\noption fflags "
      "nobuffer\noption analyzeduration 1000000\noption fpsprobesize 0\n",
      address.url, options.udp ? "udp" : "tcp", stall_us);
}

std::vector<std::string> camera_words(const CameraAddress& address, const CameraOptions& options) {
  std::vector<std::string> words = {options.program, "-nostdin", "-hide_banner", "-loglevel", "error",
                                    "-fflags", "nobuffer", "-flags", "low_delay", "-threads", "1",
                                    "-max_pixels", std::to_string(options.max_pixels),
                                    // Else it waits for two seconds to learn the rate, which nobody asks for.
                                    "-fpsprobesize", "0"};
  if (address.device) {
    words.insert(words.end(), {"-protocol_whitelist", "file", "-f", "v4l2"});
    if (options.width > 0 && options.height > 0) {
      words.insert(words.end(), {"-video_size", fmt::format("{}x{}", options.width, options.height)});
    }
    words.insert(words.end(), {"-i", address.url});
  } else {
    // The list of one that it reads is a file; what the list names may be these.
    words.insert(words.end(), {"-protocol_whitelist", "file,rtp,udp,tcp,tls", "-f", "concat", "-safe", "0",
                               "-i", fmt::format("file:/proc/self/fd/{}", Child::kInput)});
  }
  words.insert(words.end(), {"-map", "0:v:0", "-filter_threads", "1", "-fps_mode", "passthrough"});
  std::string filters;
  if (options.max_fps > 0) {
    filters =
        fmt::format("select=isnan(prev_selected_t)+gte(t-prev_selected_t\\,{:.6f})", 1 / options.max_fps);
  }
  if (!address.device && options.width > 0 && options.height > 0) {
    filters += fmt::format("{}scale={}:{}", filters.empty() ? "" : ",", options.width, options.height);
  }
  if (!filters.empty()) words.insert(words.end(), {"-vf", filters});
  const std::vector<std::string> output = frame_pipe_words();
  words.insert(words.end(), output.begin(), output.end());
  return words;
}

Camera::Camera(CameraAddress address, CameraOptions options, const Clock& clock, Child child)
    : address_(std::move(address)),
      options_(std::move(options)),
      clock_(clock),
      pipe_(std::move(child)),
      last_(clock.now()) {}

Result<Camera> Camera::open(CameraAddress address, CameraOptions options, const Clock& clock) {
  const std::string list = address.device ? "" : camera_list(address, options);
  BASCULE_ASSIGN(const Descriptor input, sealed_copy(std::as_bytes(std::span(list))));
  BASCULE_ASSIGN(Child child, Child::start(camera_words(address, options), input, {}));
  return Camera(std::move(address), std::move(options), clock, std::move(child));
}

Result<Duration> Camera::wait(const std::function<bool()>& stop) const {
  if (stop()) return Error{.code = Code::kCancelled, .message = "The camera is not wanted any more."};
  const Duration left = last_ + options_.stall - clock_.now();
  if (left <= Duration{}) {
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("The camera '{}' gave no frame for {:g} s.", address_.shown,
                                        to_seconds(options_.stall))};
  }
  return std::clamp<Duration>(left, std::chrono::milliseconds(1), kLookEvery);
}

Error Camera::ended() {
  const std::string words = shown_words(pipe_.child().wait().said, address_);
  return {.code = Code::kUnavailable,
          .message = fmt::format("The camera '{}' {}{}.", address_.shown,
                                 words.empty() ? "has ended" : "cannot be read: ", words)};
}

Result<void> Camera::next(image::Bitmap& out, const std::function<bool()>& stop) {
  if (child() == 0) {
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("The camera '{}' has ended.", address_.shown)};
  }
  const auto check = [&](const FramePipe::Size& size) -> Result<void> {
    if (size.width <= kMaxSide && size.height <= kMaxSide && size.width * size.height <= options_.max_pixels)
      return {};
    return Error{
        .code = Code::kPayloadTooLarge,
        .message = fmt::format("The camera '{}' gives frames of {} x {} pixels; the limit is {}. Set it "
                               "to a smaller size or raise --max-pixels.",
                               address_.shown, size.width, size.height, options_.max_pixels),
        .reason = Reason::kBadPicture};
  };
  BASCULE_ASSIGN(const FramePipe::Got got, pipe_.next(out, [&] { return wait(stop); }, check));
  if (got != FramePipe::Got::kFrame) return ended();
  last_ = clock_.now();
  return {};
}

}  // namespace bascule::video

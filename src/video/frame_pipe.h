#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "image/bitmap.h"
#include "video/child.h"

namespace bascule::video {

// Frames as ffmpeg writes them to a pipe: each a PPM with its size in front.
// Thread-safety: external (one thread).
class FramePipe {
 public:
  struct Size {
    std::uint64_t width = 0;
    std::uint64_t height = 0;
  };
  enum class Got { kFrame, kEnd, kBroken };  // kBroken: the end came within a frame

  explicit FramePipe(Child child) : child_(std::move(child)) {}

  // How long to wait for the next bytes before it is asked again, or why not to.
  using Wait = std::function<Result<Duration>()>;
  // Whether a frame of this size is wanted; before there is memory for it.
  using Check = std::function<Result<void>(const Size& size)>;
  // One frame, in `out`. Errors: of `wait` and `check`; kInternal for what is no frame.
  Result<Got> next(image::Bitmap& out, const Wait& wait, const Check& check);

  [[nodiscard]] Child& child() { return child_; }
  [[nodiscard]] const Child& child() const { return child_; }

 private:
  Result<std::size_t> read(std::span<std::byte> room, const Wait& wait);
  Result<Got> read_header(Size& size, const Wait& wait);

  Child child_;
  std::vector<std::byte> rest_;  // read together with a header
};

// The arguments that have ffmpeg write so, behind those of its input and filters.
[[nodiscard]] std::vector<std::string> frame_pipe_words();

inline constexpr std::uint64_t kMaxSide = 1ULL << 20U;  // of a frame

// Takes a whole number from 1 on and the `end` behind it off the front of `text`.
[[nodiscard]] std::optional<std::uint64_t> number_in(std::string_view& text, char end);

// The last line of what ffmpeg said, without addresses in brackets.
[[nodiscard]] std::string_view last_line(std::string_view said);

}  // namespace bascule::video

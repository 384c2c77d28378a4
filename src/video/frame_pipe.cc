#include "video/frame_pipe.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace bascule::video {
namespace {

constexpr std::size_t kMaxHeader = 64;

}  // namespace

std::optional<std::uint64_t> number_in(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const auto value = text::parse_int(text.substr(0, at));
  text.remove_prefix(at + 1);
  if (!value || *value < 1) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::vector<std::string> frame_pipe_words() {
  return {"-f", "image2pipe", "-c:v", "ppm", "-threads", "1", "pipe:1"};
}

std::string_view last_line(std::string_view said) {
  said = text::trimmed(said);
  said = said.substr(said.rfind('\n') + 1);
  while (said.starts_with('[') && said.find("] ") != std::string_view::npos)
    said.remove_prefix(said.find("] ") + 2);
  return said;
}

Result<std::size_t> FramePipe::read(std::span<std::byte> room, const Wait& wait) {
  while (true) {
    BASCULE_ASSIGN(const Duration most, wait());
    if (const auto count = child_.read(room, most)) return *count;
  }
}

// "P6\nWIDTH HEIGHT\n255\n"; what came behind it is kept.
Result<FramePipe::Got> FramePipe::read_header(Size& size, const Wait& wait) {
  while (true) {
    std::string_view text(reinterpret_cast<const char*>(rest_.data()), rest_.size());
    const std::size_t all = text.size();
    if (std::ranges::count(text, '\n') >= 3 && text.starts_with("P6\n")) {
      text.remove_prefix(3);
      const auto width = number_in(text, ' ');
      const auto height = number_in(text, '\n');
      const auto most = number_in(text, '\n');
      if (!width || !height || most != 255U) break;
      size = {.width = *width, .height = *height};
      rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(all - text.size()));
      return Got::kFrame;
    }
    if (all >= kMaxHeader) break;
    rest_.resize(kMaxHeader);
    const auto count = read(std::span(rest_).subspan(all), wait);
    rest_.resize(all + count.value_or(0));
    if (!count) return count.error();
    if (*count == 0) return all == 0 ? Got::kEnd : Got::kBroken;
  }
  return internal_error("The program that reads videos wrote something else than frames.");
}

Result<FramePipe::Got> FramePipe::next(image::Bitmap& out, const Wait& wait, const Check& check) {
  Size size;
  BASCULE_ASSIGN(const Got header, read_header(size, wait));
  if (header != Got::kFrame) return header;
  BASCULE_TRY(check(size));
  out.height = static_cast<int>(size.height);
  out.width = static_cast<int>(size.width);
  out.pixels.resize(out.row_bytes() * size.height);
  std::span<std::byte> room = std::as_writable_bytes(std::span(out.pixels));
  const std::size_t kept = std::min(rest_.size(), room.size());
  std::copy_n(rest_.begin(), kept, room.begin());
  rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(kept));
  for (room = room.subspan(kept); !room.empty();) {
    BASCULE_ASSIGN(const std::size_t count, read(room, wait));
    if (count == 0) return Got::kBroken;
    room = room.subspan(count);
  }
  return Got::kFrame;
}

}  // namespace bascule::video

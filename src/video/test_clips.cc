#include "video/test_clips.h"

#include <fcntl.h>

#include "base/check.h"
#include "video/child.h"
#include "video/program.h"

namespace bascule::video {

std::optional<std::string> ffmpeg_here() {
  const auto found = find_ffmpeg("ffmpeg", "/usr/local/bin:/usr/bin:/bin");
  return found ? std::optional(*found) : std::nullopt;
}

std::vector<std::byte> make_clip(const std::string& format, const std::vector<std::string>& more,
                                 const std::string& source) {
  std::vector<std::string> words = {*ffmpeg_here(), "-nostdin", "-loglevel", "error",
                                    "-f",           "lavfi",    "-i",        source};
  words.insert(words.end(), more.begin(), more.end());
  words.insert(words.end(), {"-f", format, "pipe:1"});
  const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  auto child = Child::start(words, nothing, {.cpu_time = std::chrono::seconds(60)});
  BASCULE_CHECK(child.has_value());
  std::vector<std::byte> clip;
  while (true) {
    std::vector<std::byte> room(64U << 10U);
    const auto count = child->read(room, std::chrono::seconds(60));
    if (!count) continue;
    if (*count == 0) break;
    clip.insert(clip.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(*count));
  }
  BASCULE_CHECK(child->wait().exit_code == 0);
  return clip;
}

}  // namespace bascule::video

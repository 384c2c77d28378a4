#include "video/program.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

namespace bascule::video {

Result<std::string> find_ffmpeg(const std::string& name, std::string_view path) {
  const bool is_path = name.find('/') != std::string::npos;
  if (is_path && ::access(name.c_str(), X_OK) == 0) return name;
  while (!is_path && !path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    std::string file = fmt::format("{}/{}", path.substr(0, end), name);
    if (end > 0 && ::access(file.c_str(), X_OK) == 0) return file;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return Error{.code = Code::kUnsupported,
               .message = fmt::format("Videos are read with the program '{}', which is not there: install it "
                                      "(apt-get install ffmpeg), or name it with --ffmpeg.",
                                      name)};
}

}  // namespace bascule::video

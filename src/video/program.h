#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::video {

// The program that reads videos: `name` itself where it has a '/', else looked for in the folders of `path`,
// as PATH has them. Errors: kUnsupported with how to get it.
Result<std::string> find_ffmpeg(const std::string& name, std::string_view path);

}  // namespace bascule::video

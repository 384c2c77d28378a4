#include "image/codec_library.h"

#include <fmt/format.h>

namespace bascule::image {

Result<SharedLibrary> open_codec(const char* soname, std::string_view package) {
  return SharedLibrary::open(
      soname, fmt::format("Install the package {}, or send the picture as JPEG or PNG.", package),
      Reason::kBadPicture);
}

}  // namespace bascule::image

#pragma once

#include <string_view>

#include "base/shared_library.h"

// Private to this room: libraries that are loaded when the first picture asks for them. Together libavif and
// libheif bring nine others (three encoders among them, 9 MB resident and 30 to 50 ms where the disk is
// cold), and libheif is built with x265, whose licence (GPL-2) is not ours: a server that meets no such
// picture has neither.
namespace bascule::image {

// Errors: kUnavailable with kBadPicture, naming the library and the package that has it.
Result<SharedLibrary> open_codec(const char* soname, std::string_view package);

}  // namespace bascule::image

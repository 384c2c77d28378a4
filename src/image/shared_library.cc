#include "image/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace bascule::image {

Result<SharedLibrary> SharedLibrary::open(const char* soname, std::string_view package) {
  void* const handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = dlerror();
    return Error{
        Code::kUnavailable,
        fmt::format(
            "{} could not be loaded ({}). Install the package {}, or send the picture as JPEG or PNG.",
            soname, why == nullptr ? "no reason given" : why, package),
        Reason::kBadPicture};
  }
  return SharedLibrary(handle, soname);
}

Result<void*> SharedLibrary::find_any(const char* name) const {
  void* const found = dlsym(handle_, name);
  if (found != nullptr) return found;
  return Error{Code::kUnavailable,
               fmt::format("{} has no function {}: it is not the version that this program was built for.",
                           soname_, name),
               Reason::kBadPicture};
}

}  // namespace bascule::image

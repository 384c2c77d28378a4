#include "base/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace bascule {

Result<SharedLibrary> SharedLibrary::open(const std::string& name, std::string_view remedy, Reason reason) {
  void* const handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = dlerror();
    return Error{Code::kUnavailable,
                 fmt::format("{} could not be loaded ({}). {}", name,
                             why == nullptr ? "no reason given" : why, remedy),
                 reason};
  }
  return SharedLibrary(handle, name, reason);
}

Result<void*> SharedLibrary::find_any(const char* name) const {
  void* const found = dlsym(handle_, name);
  if (found != nullptr) return found;
  return Error{Code::kUnavailable,
               fmt::format("{} has no function {}: it is not the version that this program was built for.",
                           name_, name),
               reason_};
}

}  // namespace bascule

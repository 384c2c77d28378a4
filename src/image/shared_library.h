#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

// Private to this room: libraries that are loaded when the first picture asks for them. Together libavif and
// libheif bring nine others (three encoders among them, 9 MB resident and 30 to 50 ms where the disk is
// cold), and libheif is built with x265, whose licence (GPL-2) is not ours: a server that meets no such
// picture has neither.
namespace bascule::image {

// A table of functions: how a library is used without being linked to. Stays loaded to the process's end.
// Thread-safety: immutable after open().
class SharedLibrary {
 public:
  // Errors: kUnavailable, naming the library and the package that has it.
  static Result<SharedLibrary> open(const char* soname, std::string_view package);

  // `to` becomes the function of that name and of its own type. Errors: kUnavailable.
  template <class Function>
  Result<void> find(const char* name, Function*& to) const {
    static_assert(std::is_function_v<Function>);
    BASCULE_ASSIGN(void* const found, find_any(name));
    to = reinterpret_cast<Function*>(found);
    return {};
  }

 private:
  SharedLibrary(void* handle, std::string soname) : handle_(handle), soname_(std::move(soname)) {}
  Result<void*> find_any(const char* name) const;

  void* handle_;
  std::string soname_;
};

}  // namespace bascule::image

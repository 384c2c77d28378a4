#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace bascule {

// A table of functions: how a library is used without being linked to, so that only a process that needs it
// pays for it. Stays loaded to the process's end. Thread-safety: immutable after open().
class SharedLibrary {
 public:
  // `name`: a path, or what the loader looks for in the program's own folders and in the system's. Errors:
  // kUnavailable, naming the library, why, and `remedy`, a sentence; with `reason`, as those of find().
  static Result<SharedLibrary> open(const std::string& name, std::string_view remedy,
                                    Reason reason = Reason::kNone);

  // `to` becomes the function of that name and of its own type. Errors: kUnavailable.
  template <class Function>
  Result<void> find(const char* name, Function*& to) const {
    static_assert(std::is_function_v<Function>);
    BASCULE_ASSIGN(void* const found, find_any(name));
    to = reinterpret_cast<Function*>(found);
    return {};
  }

 private:
  SharedLibrary(void* handle, std::string name, Reason reason)
      : handle_(handle), name_(std::move(name)), reason_(reason) {}
  Result<void*> find_any(const char* name) const;

  void* handle_;
  std::string name_;
  Reason reason_;
};

}  // namespace bascule

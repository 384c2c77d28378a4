// Of builds with AddressSanitizer alone: what OpenVINO and its oneTBB do that ends a process under it, though
// nothing is wrong for us.

#include <dlfcn.h>

// oneTBB loads a library of its own with RTLD_DEEPBIND, since which it would not see the sanitizer's
// functions.
extern "C" __attribute__((visibility("default"))) void* dlopen(const char* name, int flags) noexcept {
  static const auto next = reinterpret_cast<void* (*)(const char*, int)>(dlsym(RTLD_NEXT, "dlopen"));
  return next(name, flags & ~RTLD_DEEPBIND);
}

// Asked whether it knows a folder of TensorFlow, OpenVINO's reader of .xml takes the folder for a file of
// 2^63 bytes, asks for as many, and goes on without. And oneTBB's threads, which nobody joins, may be ending
// while the sanitizer looks for leaks at the end of the process: it then fails itself, now and then.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {  // NOLINT
  return "allocator_may_return_null=1:detect_leaks=0";
}

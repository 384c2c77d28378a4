#pragma once

namespace bascule {

// Prints the broken invariant and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition);

}  // namespace bascule

// An invariant of ours, kept in release builds. Never for data from outside: that is an `Error`.
#define BASCULE_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::bascule::check_failed(__FILE__, __LINE__, #condition))

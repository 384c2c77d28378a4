#pragma once

#include <cstdint>
#include <string>

namespace bascule::content {

// Memory of another process on this machine that a client has made known.
// Thread-safety: a value.
struct SharedRegion {
  std::string name;             // that requests use
  std::string key;              // of POSIX shared memory: "/" and a name
  std::uint64_t offset = 0;     // where the region begins in it
  std::uint64_t byte_size = 0;  // of the region
};

// Where in a region a tensor's bytes lie, or are to lie.
// Thread-safety: a value.
struct SharedPart {
  std::string region;
  std::uint64_t offset = 0;  // from the region's begin
  std::uint64_t byte_size = 0;
};

}  // namespace bascule::content

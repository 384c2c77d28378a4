#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bascule::applications {

// A rule fired.
// Thread-safety: a value; what `picture` points to is never changed.
struct Event {
  std::string id;  // of app, source, frame number and rule: the first 32 hexadecimal digits of a SHA-256
  std::string app;
  std::string source;
  std::string rule;
  std::string severity;
  std::uint64_t frame = 0;
  std::int64_t time_ms = 0;                                 // Unix
  std::string json;                                         // the whole event, without its picture
  std::shared_ptr<const std::vector<std::byte>> picture{};  // annotated JPEG, or null
};

}  // namespace bascule::applications

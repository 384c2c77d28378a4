#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::applications {

// A rule has fired.
// Thread-safety: a value; the picture is never changed.
struct Event {
  std::string id;  // event_id()
  std::string app;
  std::string source;
  std::string rule;
  std::string severity;
  std::uint64_t frame = 0;   // its number, from 1 by source
  std::int64_t time_ms = 0;  // when the frame was taken, since 1970 UTC
  std::string json;          // the whole event as one JSON object, without the picture
  std::shared_ptr<const std::vector<std::byte>> picture;  // annotated JPEG, or null
};

// The first 32 hexadecimal digits of SHA-256 over application, source, frame number and rule: the same frame
// and rule give the same id in every run, so that receivers can tell doubles.
[[nodiscard]] std::string event_id(std::string_view app, std::string_view source, std::uint64_t frame,
                                   std::string_view rule);

// "2026-11-27T00:50:01.123Z".
[[nodiscard]] std::string utc_text(std::int64_t time_ms);

// The event but its picture as bytes, and back; how the outbox keeps it. Errors of the reader:
// kFailedPrecondition for bytes of another version, or damaged ones.
[[nodiscard]] std::string packed(const Event& event);
Result<Event> unpacked(std::string_view bytes);

}  // namespace bascule::applications

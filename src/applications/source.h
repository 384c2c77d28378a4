#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "applications/frame.h"
#include "base/result.h"

namespace bascule::applications {

enum class SourceStatus : std::uint8_t {
  kRunning,
  kWaiting,  // it is down, and is tried again
  kEnded,    // it has given all that it had
  kFailed,
};

// How a source does.
// Thread-safety: a value.
struct SourceState {
  SourceStatus status = SourceStatus::kRunning;
  std::string error;             // of the last failure; empty: none yet
  std::uint64_t frames = 0;      // that it gave
  std::uint64_t dropped = 0;     // that it had and did not give
  std::uint64_t reconnects = 0;  // tries after the first
};

// Whether whoever waits should give up; asked at least ten times a second, on any thread.
using Stop = std::function<bool()>;

// Where an application's frames come from.
// Thread-safety: `state` and `live` are thread-safe; the rest is for one thread.
class Source {
 public:
  virtual ~Source() = default;

  // Waits for the next frame; nothing at the end. Frame numbers rise. Errors: kCancelled once `stop` holds;
  // after any other there is nothing to come.
  virtual Result<std::optional<Frame>> next(const Stop& stop) = 0;
  [[nodiscard]] virtual SourceState state() const = 0;
  // Frames come whether they are wanted or not: of those that nobody takes in time only the latest is kept.
  // Else the source waits, and every frame is taken.
  [[nodiscard]] virtual bool live() const = 0;
};

}  // namespace bascule::applications

#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "base/clock.h"

namespace bascule {

struct BackOffOptions {
  Duration first = std::chrono::milliseconds(500);
  Duration longest = std::chrono::minutes(1);
  // What the other side asks for is waited for, up to this.
  Duration longest_asked = std::chrono::minutes(5);
  std::uint64_t seed = 1;  // of the jitter: another for each that waits, so that they do not come together
};

// How long to wait before something that failed is tried again: from half to all of a time that doubles from
// `first` to `longest`. The same seed gives the same times.
// Thread-safety: external (one thread).
class BackOff {
 public:
  explicit BackOff(const BackOffOptions& options);

  // After one more failure. `asked`: by the other side; at least that is waited, up to `longest_asked`.
  [[nodiscard]] Duration next(std::optional<Duration> asked = std::nullopt);
  // It did not fail.
  void reset() { failures_ = 0; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }

 private:
  BackOffOptions options_;
  std::mt19937_64 random_;
  std::uint32_t failures_ = 0;  // in a row
};

}  // namespace bascule

#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace bascule::tracing {

inline constexpr Duration kFirstWait = std::chrono::milliseconds(500);
inline constexpr Duration kLongestWait = std::chrono::seconds(5);
// What a receiver asks for is waited for, up to this.
inline constexpr Duration kLongestAsked = std::chrono::seconds(30);

// Whether a batch that was not taken is worth another try: 429, 502, 503 and 504 are (OTLP 1.5, "Retryable
// response codes"), and where nobody answered (0).
[[nodiscard]] bool is_worth_another(unsigned status);

// How long to wait before the next try: what the receiver asks for, else from half to all of a time that
// doubles from 0.5 s to 5 s. `tries`: made so far, at least 1. `jitter`: 0 to 1.
[[nodiscard]] Duration wait_before_next(std::uint32_t tries, std::optional<Duration> asked, double jitter);

}  // namespace bascule::tracing

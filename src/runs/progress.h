#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace bascule::runs {

// How a run does, to be shown.
// Thread-safety: a value.
struct Standing {
  std::uint64_t good = 0;  // with those of the run that this one goes on from
  std::uint64_t bad = 0;
  std::uint64_t since = 0;  // inputs since this process began
  double share = -1;        // of all inputs that is done, 0 to 1; below 0: not known
  double first_share = -1;  // where this process began
  Duration took{};
};

// "1,234,567".
[[nodiscard]] std::string with_commas(std::uint64_t number);
// "12 s", "3:20 min", "1:02:03 h".
[[nodiscard]] std::string duration_text(double seconds);
// "[########            ]  41 %  4,120 done, 3 bad  123.4/s  0:48 min left"
[[nodiscard]] std::string bar_text(const Standing& standing);
// The same without the bar, for a log.
[[nodiscard]] std::string line_text(const Standing& standing);

}  // namespace bascule::runs

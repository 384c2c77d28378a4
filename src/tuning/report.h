#pragma once

#include <string>

#include "tuning/search.h"

namespace bascule::tuning {

// What the search found, as a table with a line for every way of serving, the chosen one marked, and bars of
// its requests a second. At most `width` columns.
[[nodiscard]] std::string table(const Outcome& outcome, Goal goal, std::size_t width = 100);

// The same as a picture (SVG) of latency against rate: above and to the left is better. `title` above it.
[[nodiscard]] std::string svg(const Outcome& outcome, const std::string& title);

// One sentence: what was chosen, and how it compares with the default.
[[nodiscard]] std::string summary(const Outcome& outcome);

}  // namespace bascule::tuning

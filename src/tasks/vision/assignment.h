#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace bascule::tasks::vision {

// Pairs rows with columns so that the sum of `costs` (rows x columns, row-major) is least, where a row or
// column may stay alone and a pair that costs `limit` or more is none: the Hungarian algorithm with
// potentials, in O(n^2 m) for the shorter side n. Gives each row's column, or -1. Written here since it is
// forty lines, and the libraries that have it bring whole solvers. Costs are finite; NaN counts as `limit`.
[[nodiscard]] std::vector<int> assign(std::span<const double> costs, std::size_t rows, std::size_t columns,
                                      double limit);

}  // namespace bascule::tasks::vision

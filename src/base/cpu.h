#pragma once

#include <cstddef>
#include <string_view>

namespace bascule {

// Cores this process may use: the smaller of its affinity mask and the cgroup's CPU quota (v2, then v1),
// rounded up, at least 1.
[[nodiscard]] std::size_t cpu_budget();

// Cores granted by the text of a cgroup v2 `cpu.max` file ("150000 100000" = 2, "max 100000" = 0: no limit).
[[nodiscard]] std::size_t cores_from_cpu_max(std::string_view text);

// The calling thread gets what the other threads leave of the cores from now on, and about a tenth of a core
// where they leave nothing.
void yield_to_others();

}  // namespace bascule

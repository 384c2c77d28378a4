#pragma once

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace bascule {

// Cores this process may use: the smaller of its affinity mask and the cgroup's CPU quota (v2, then v1),
// rounded up, at least 1.
[[nodiscard]] std::size_t cpu_budget();

// Cores granted by the text of a cgroup v2 `cpu.max` file ("150000 100000" = 2, "max 100000" = 0: no limit).
[[nodiscard]] std::size_t cores_from_cpu_max(std::string_view text);

// "AMD EPYC, 2 cores, avx2 avx512f avx512_bf16": what decides how fast a model runs here, as far as the text
// of /proc/cpuinfo tells it, with the cores that this process may use.
[[nodiscard]] std::string machine_text(std::string_view cpuinfo, std::size_t cores);
// Of this machine.
[[nodiscard]] std::string this_machine();

// Share, 0 to 1, of the time between two readings of /proc/stat in which `cores`, by their
// numbers, had nothing to do; 1 where the readings tell nothing of them.
[[nodiscard]] double idle_share(std::string_view before, std::string_view after, const std::set<int>& cores);

// How much the machine and this process have computed until now.
// Thread-safety: a value.
struct CpuReading {
  std::string stat;                 // of /proc/stat; empty where it cannot be read
  std::chrono::nanoseconds used{};  // by this process
  std::chrono::steady_clock::time_point when;
};
[[nodiscard]] CpuReading read_cpu();

// What nothing used between two readings of the cores that this process may use, at most 1, by the machine
// and by the process's own quota.
[[nodiscard]] double spare_share(const CpuReading& before, const CpuReading& after);

}  // namespace bascule

#include "base/cpu.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "base/text.h"

namespace bascule {
namespace {

// A tenth of a core's share beside one thread that always computes. Much less, and a load would take minutes
// on a machine that has nothing left for it.
constexpr int kYielding = 10;

std::size_t rounded_up(std::int64_t quota, std::int64_t period) {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<std::size_t>(quota / period + (quota % period != 0 ? 1 : 0));
}

std::optional<std::string> content_of(const char* path) {
  std::ifstream in(path);
  if (!in) return std::nullopt;
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::size_t cgroup_cores() {
  if (const auto v2 = content_of("/sys/fs/cgroup/cpu.max")) return cores_from_cpu_max(*v2);
  const auto quota = content_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const auto period = content_of("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (!quota || !period) return 0;
  return rounded_up(text::parse_int(text::trimmed(*quota)).value_or(0),
                    text::parse_int(text::trimmed(*period)).value_or(0));
}

}  // namespace

std::size_t cores_from_cpu_max(std::string_view value) {
  value = text::trimmed(value);
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos) return 0;
  return rounded_up(text::parse_int(value.substr(0, space)).value_or(0),
                    text::parse_int(text::trimmed(value.substr(space))).value_or(0));
}

std::size_t cpu_budget() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::size_t cores = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    cores = static_cast<std::size_t>(std::max(CPU_COUNT(&set), 1));
  }
  const std::size_t limit = cgroup_cores();
  return limit == 0 ? cores : std::min(cores, limit);
}

void yield_to_others() {
  // On Linux both are of the thread alone. Where the change is refused the thread goes on as it was.
  const auto thread = static_cast<id_t>(gettid());
  if (setpriority(PRIO_PROCESS, thread, std::max(getpriority(PRIO_PROCESS, thread), kYielding)) != 0) return;
}

}  // namespace bascule

#include "base/cpu.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule {
namespace {

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

// Of all `cores` together since the machine's start, in ticks.
struct CoreTimes {
  std::int64_t idle = 0;
  std::int64_t all = 0;
};

// "cpu3 user nice system idle iowait irq softirq steal guest guest_nice": guests count within user and nice
// already.
CoreTimes times_of(std::string_view stat, const std::set<int>& cores) {
  constexpr std::size_t kIdle = 3;
  constexpr std::size_t kIoWait = 4;
  constexpr std::size_t kSteal = 7;
  CoreTimes out;
  std::istringstream lines{std::string(stat)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (!name.starts_with("cpu")) continue;
    const auto core = text::parse_int(std::string_view(name).substr(3));
    if (!core || !cores.contains(static_cast<int>(*core))) continue;
    std::int64_t ticks = 0;
    for (std::size_t column = 0; column <= kSteal && words >> ticks; ++column) {
      out.all += ticks;
      if (column == kIdle || column == kIoWait) out.idle += ticks;
    }
  }
  return out;
}

std::set<int> own_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::set<int> out;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return out;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(static_cast<std::size_t>(core), &mask)) out.insert(core);
  }
  return out;
}

std::chrono::nanoseconds used_by_process() {
  timespec used{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return {};
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
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

double idle_share(std::string_view before, std::string_view after, const std::set<int>& cores) {
  const CoreTimes was = times_of(before, cores);
  const CoreTimes is = times_of(after, cores);
  if (is.all <= was.all) return 1.0;
  return std::clamp(static_cast<double>(is.idle - was.idle) / static_cast<double>(is.all - was.all), 0.0,
                    1.0);
}

CpuReading read_cpu() {
  return {.stat = content_of("/proc/stat").value_or(""),
          .used = used_by_process(),
          .when = std::chrono::steady_clock::now()};
}

double spare_share(const CpuReading& before, const CpuReading& after) {
  const std::chrono::duration<double> took = after.when - before.when;
  const std::chrono::duration<double> own = after.used - before.used;
  const double budget = took.count() * static_cast<double>(cpu_budget());
  const double of_quota = budget > 0 ? 1.0 - own.count() / budget : 1.0;
  return std::min(of_quota, idle_share(before.stat, after.stat, own_cores()));
}

std::string machine_text(std::string_view cpuinfo, std::size_t cores) {
  // What a line "NAME : VALUE" says of the first core; arm64 names its parts by number, and its flags
  // Features.
  const auto said = [&](std::string_view name) {
    for (std::size_t at = cpuinfo.find(name); at != cpuinfo.npos; at = cpuinfo.find(name, at + 1)) {
      if (at != 0 && cpuinfo[at - 1] != '\n') continue;
      std::string_view line = cpuinfo.substr(at, cpuinfo.find('\n', at) - at);
      const std::size_t colon = line.find(':');
      return colon == line.npos ? std::string_view{} : text::trimmed(line.substr(colon + 1));
    }
    return std::string_view{};
  };
  std::string out(said("model name"));
  if (out.empty()) out = fmt::format("CPU part {}", said("CPU part"));
  out += fmt::format(", {} core{}", cores, cores == 1 ? "" : "s");
  const std::string flags = fmt::format(" {} {} ", said("flags"), said("Features"));
  std::string has;
  for (const std::string_view flag :
       {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8",
        "asimddp", "i8mm", "bf16", "sve"}) {
    if (flags.find(fmt::format(" {} ", flag)) != flags.npos) has += fmt::format(" {}", flag);
  }
  return has.empty() ? out : out + "," + has;
}

std::string this_machine() {
  std::ifstream in("/proc/cpuinfo");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return machine_text(text, cpu_budget());
}

}  // namespace bascule

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include "metrics/families.h"

namespace bascule::metrics {
namespace {

using prometheus::MetricType;

void add(Families& out, std::string name, MetricType type, std::string help, double value) {
  prometheus::MetricFamily& family = out.emplace_back();
  family.name = std::move(name);
  family.type = type;
  family.help = std::move(help);
  prometheus::ClientMetric& metric = family.metric.emplace_back();
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}

// The fields of /proc/self/stat that follow the process' name, which may itself hold spaces.
struct ProcStat {
  double user_ticks = 0;
  double system_ticks = 0;
  double start_ticks = 0;  // since the machine started
  double virtual_bytes = 0;
  double resident_pages = 0;
};

ProcStat read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  // proc(5): the first field here is the third, `state`.
  const auto skip = [&](int count) {
    for (int i = 0; i < count; ++i) fields >> skipped;
  };
  ProcStat stat;
  skip(11);
  fields >> stat.user_ticks >> stat.system_ticks;
  skip(6);
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  return stat;
}

double boot_time() {
  std::ifstream file("/proc/stat");
  std::string word;
  double seconds = 0;
  while (file >> word) {
    if (word == "btime") {
      file >> seconds;
      break;
    }
  }
  return seconds;
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  return count > 0 ? count - 1 : 0;  // without the one that lists them
}

double descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void append_process(Families& out) {
  const ProcStat stat = read_stat();
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  add(out, "process_cpu_seconds_total", MetricType::Counter,
      "Total user and system CPU time spent in seconds.", (stat.user_ticks + stat.system_ticks) / ticks);
  add(out, "process_open_fds", MetricType::Gauge, "Number of open file descriptors.", open_descriptors());
  add(out, "process_max_fds", MetricType::Gauge, "Maximum number of open file descriptors.",
      descriptor_limit());
  add(out, "process_virtual_memory_bytes", MetricType::Gauge, "Virtual memory size in bytes.",
      stat.virtual_bytes);
  add(out, "process_resident_memory_bytes", MetricType::Gauge, "Resident memory size in bytes.",
      stat.resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  add(out, "process_start_time_seconds", MetricType::Gauge,
      "Start time of the process since unix epoch in seconds.", boot_time() + stat.start_ticks / ticks);
}

std::uint64_t private_bytes() {
  // proc(5), /proc/self/statm: size, resident, and of that what belongs to files, all in pages.
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t of_files = 0;
  file >> size >> resident >> of_files;
  return (resident - std::min(of_files, resident)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace bascule::metrics

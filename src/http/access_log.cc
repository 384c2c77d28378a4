#include "http/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <iterator>
#include <system_error>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/date.h"
#include "base/text.h"

namespace bascule::http {
namespace {

constexpr std::size_t kMaxPath = 1024;  // of a path in the log

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& path) {
  if (path == "-") return std::make_unique<AccessLog>(STDOUT_FILENO, false);
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
  if (file < 0) {
    return invalid_argument(fmt::format("The access log '{}' cannot be opened: {}.", path,
                                        std::generic_category().message(errno)));
  }
  return std::make_unique<AccessLog>(file, true);
}

AccessLog::~AccessLog() {
  if (owned_) ::close(file_);
}

void AccessLog::write(const AccessEntry& entry) {
  const std::string line = access_line(entry, unix_time());
  // One call per line: with O_APPEND lines of several threads do not mix.
  [[maybe_unused]] const auto written = ::write(file_, line.data(), line.size());
}

std::string access_line(const AccessEntry& entry, Duration date) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  const auto whole = std::chrono::floor<seconds>(date);
  std::string out;
  out.reserve(256);
  fmt::format_to(std::back_inserter(out), R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","client":)",
                 fmt::gmtime(static_cast<std::time_t>(whole.count())),
                 std::chrono::floor<milliseconds>(date - whole).count());
  text::append_json_quoted(out, entry.client);
  out += R"(,"method":)";
  text::append_json_quoted(out, entry.method);
  out += R"(,"path":)";
  text::append_json_quoted(out, text::shortened(entry.path, kMaxPath));
  fmt::format_to(std::back_inserter(out), R"(,"status":{},"bytes_in":{},"bytes_out":{},"ms":{:.3f})",
                 entry.status, entry.bytes_in, entry.bytes_out, to_ms(entry.took));
  if (!entry.key.empty()) {
    out += R"(,"key":)";
    text::append_json_quoted(out, entry.key);
  }
  if (!entry.traceparent.empty()) {
    out += R"(,"traceparent":)";
    text::append_json_quoted(out, entry.traceparent);
  }
  out += "}\n";
  return out;
}

}  // namespace bascule::http

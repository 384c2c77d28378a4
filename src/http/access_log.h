#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace bascule::http {

// One answered or refused request. Never its query or body: they may hold secrets.
// Thread-safety: a value.
struct AccessEntry {
  std::string_view client;  // address
  std::string_view method;
  std::string_view path;         // as it came, percent-encoded
  std::string_view key;          // name of the key that it came with; empty: none
  std::string_view traceparent;  // empty: none
  unsigned status = 0;
  std::size_t bytes_in = 0;  // of the body
  std::size_t bytes_out = 0;
  Duration took{};
};

// A file of requests, one JSON object a line.
// Thread-safety: thread-safe; each line is written at once.
class AccessLog {
 public:
  // Appends to the file, made where there is none; "-" is standard output. Errors: kInvalidArgument.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& path);
  // Writes to this descriptor; `owned`: closes it at the end.
  AccessLog(int file, bool owned) : file_(file), owned_(owned) {}
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // What cannot be written (a full disk) is dropped; requests do not wait for it.
  void write(const AccessEntry& entry);

 private:
  const int file_;
  const bool owned_;
};

// {"time":"2026-01-31T12:00:00.123Z","client":…,"method":…,"path":…,"status":…,"bytes_in":…,"bytes_out":…,
// "ms":…[,"key":…][,"traceparent":…]} and the end of the line. `date`: since 1970 UTC.
[[nodiscard]] std::string access_line(const AccessEntry& entry, Duration date);

}  // namespace bascule::http

#include "base/log_level.h"

#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/text.h"

namespace bascule::log {
namespace {

struct Logger {
  std::shared_ptr<spdlog::logger> sink =
      std::make_shared<spdlog::logger>("bascule", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  Format format = Format::kText;
};

Logger& logger() {
  static Logger instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
    case Level::kOff: return spdlog::level::off;
  }
  return spdlog::level::info;
}

}  // namespace

Result<Level> parse_level(std::string_view text) {
  if (text == "debug") return Level::kDebug;
  if (text == "info") return Level::kInfo;
  if (text == "warning") return Level::kWarning;
  if (text == "error") return Level::kError;
  if (text == "off") return Level::kOff;
  return invalid_argument(fmt::format("'{}' is no log level; use debug, info, warning, error or off.", text));
}

void configure(const Options& options) {
  Logger& l = logger();
  l.format = options.format;
  l.sink->set_level(to_spdlog(options.level));
  l.sink->flush_on(spdlog::level::debug);
  l.sink->set_pattern(options.format == Format::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                                      : "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
}

Level level() {
  for (const Level each : {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError}) {
    if (enabled(each)) return each;
  }
  return Level::kOff;
}

void set_level(Level level) { logger().sink->set_level(to_spdlog(level)); }

bool enabled(Level level) { return logger().sink->should_log(to_spdlog(level)); }

void write(Level level, std::string_view message) {
  Logger& l = logger();
  if (l.format == Format::kJson) {
    l.sink->log(to_spdlog(level), "\"message\":{}", text::json_quoted(message));
  } else {
    l.sink->log(to_spdlog(level), "{}", text::escape_controls(message));
  }
}

}  // namespace bascule::log

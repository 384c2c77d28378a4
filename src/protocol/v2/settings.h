#pragma once

#include <string>

#include "base/log.h"
#include "base/result.h"
#include "protocol/body.h"

// The logging and trace extensions, over REST and gRPC: what is in force is told; of it, only how much is
// logged can be changed. Source: Triton, extension_logging.md, extension_trace.md and grpc_service.proto.
namespace bascule::protocol::v2 {

// GET /v2/logging. Nothing but the level is told of where logs go; that log_file is empty means standard
// error.
[[nodiscard]] std::string write_log_settings(log::Level level);
// POST /v2/logging: the level that the request asks for. What it does not name, or names as null, stays as it
// is `now`. Levels are cumulative: information is logged with warnings, never without. Errors:
// kInvalidArgument for a setting that is unknown, of the wrong type or not changed over the network
// (log_file, log_format), and for levels with a gap.
Result<log::Level> parse_log_settings(const RequestBody& body, log::Level now);
// LogSettingsRequest, LogSettingsResponse
Result<log::Level> parse_log_settings_message(const RequestBody& message, log::Level now);
[[nodiscard]] std::string write_log_settings_message(log::Level level);

// GET /v2/trace/setting and /v2/models/{m}/trace/setting: requests are not traced.
[[nodiscard]] std::string write_trace_settings();
// POST: what a request asks for must be what is in force, or null. Errors: kInvalidArgument for anything
// else.
Result<void> check_trace_settings(const RequestBody& body);
// TraceSettingRequest: the model that it names, or nothing. Errors: as check_trace_settings.
Result<std::string> parse_trace_setting_message(const RequestBody& message);
// TraceSettingResponse
[[nodiscard]] std::string write_trace_settings_message();

}  // namespace bascule::protocol::v2

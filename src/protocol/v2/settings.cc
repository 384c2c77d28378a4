#include "protocol/v2/settings.h"

#include <google/protobuf/message_lite.h>
#include <grpc_service.pb.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "protocol/json_reader.h"
#include "protocol/v2/names.h"
#include "protocol/v2/small_message.h"

namespace bascule::protocol::v2 {
namespace {

using log::Level;
using Kind = JsonReader::Kind;

constexpr std::string_view kWhat = "the request";
constexpr std::string_view kLogFormat = "default";

// A setting as a request gives it; nothing: it is to stay as it is.
using Value = std::variant<std::monostate, bool, std::uint64_t, std::vector<std::string>>;

// One of the trace settings and the only value that it has.
struct Fixed {
  std::string_view name;
  std::string_view value;
};
constexpr Fixed kTrace[] = {{"trace_level", "OFF"},
                            {"trace_rate", "1000"},
                            {"trace_count", "-1"},
                            {"log_frequency", "0"},
                            {"trace_file", ""}};

Error unknown_setting(std::string_view name, std::string_view known) {
  return invalid_argument(
      fmt::format("The setting '{}' is unknown; known are {}.", text::shortened(name), known));
}

Error wrong_type(std::string_view name, std::string_view needed) {
  return invalid_argument(fmt::format("The setting '{}' must be {}.", name, needed));
}

bool is_text(const Value& value, std::string_view text) {
  const auto* const texts = std::get_if<std::vector<std::string>>(&value);
  return texts != nullptr && texts->size() == 1 && texts->front() == text;
}

// The log settings while a request is read.
// Thread-safety: external (one owner).
class LogWish {
 public:
  explicit LogWish(Level now)
      : debug_(now <= Level::kDebug),
        info_(now <= Level::kInfo),
        warning_(now <= Level::kWarning),
        error_(now <= Level::kError) {}

  Result<void> take(std::string_view name, const Value& value) {
    if (name == "log_file" || name == "log_format") return check_fixed(name, value);
    if (name == "log_verbose_level") return take_verbose(value);
    bool* const flag = name == "log_info"      ? &info_
                       : name == "log_warning" ? &warning_
                       : name == "log_error"   ? &error_
                                               : nullptr;
    if (flag == nullptr) {
      return unknown_setting(name,
                             "log_info, log_warning, log_error, log_verbose_level, log_file and log_format");
    }
    if (std::holds_alternative<std::monostate>(value)) return {};
    if (!std::holds_alternative<bool>(value)) return wrong_type(name, "true or false");
    *flag = std::get<bool>(value);
    return {};
  }

  [[nodiscard]] Result<Level> level() const {
    if ((debug_ && !info_) || (info_ && !warning_) || (warning_ && !error_)) {
      return invalid_argument(fmt::format(
          "log_verbose_level {}, log_info {}, log_warning {}, log_error {} would be in force; what is more "
          "serious is always logged, too. Turn off the lesser ones, or the greater ones on, in the same "
          "request.",
          debug_ ? 1 : 0, info_, warning_, error_));
    }
    if (debug_) return Level::kDebug;
    if (info_) return Level::kInfo;
    if (warning_) return Level::kWarning;
    return error_ ? Level::kError : Level::kOff;
  }

 private:
  Result<void> take_verbose(const Value& value) {
    if (std::holds_alternative<std::monostate>(value)) return {};
    if (!std::holds_alternative<std::uint64_t>(value)) {
      return wrong_type("log_verbose_level", "a whole number, 0 or more");
    }
    debug_ = std::get<std::uint64_t>(value) > 0;
    return {};
  }
  // A caller who may write files of his choice could do anything.
  static Result<void> check_fixed(std::string_view name, const Value& value) {
    const std::string_view fixed = name == "log_file" ? "" : kLogFormat;
    if (std::holds_alternative<std::monostate>(value) || is_text(value, fixed)) return {};
    return invalid_argument(
        fmt::format("'{}' is not changed over the network: logs go to standard error in the format that the "
                    "server was started with (--log-format).",
                    name));
  }

  bool debug_, info_, warning_, error_;
};

Result<void> check_trace(std::string_view name, const Value& value) {
  const auto* const fixed = std::ranges::find(kTrace, name, &Fixed::name);
  if (fixed == std::end(kTrace)) {
    return unknown_setting(name, "trace_level, trace_rate, trace_count, log_frequency and trace_file");
  }
  if (std::holds_alternative<std::monostate>(value) || is_text(value, fixed->value)) return {};
  if (!std::holds_alternative<std::vector<std::string>>(value)) {
    return wrong_type(name, name == "trace_level" ? "an array of strings" : "a string");
  }
  return invalid_argument(fmt::format(
      "By these settings requests are not traced, so '{}' stays '{}': --otlp-endpoint sends traces to a "
      "receiver. Where their time goes is told by GET /metrics, too, and of one by the header field "
      "'Bascule-Debug: timing'.",
      name, fixed->value));
}

bool read_texts(JsonReader& json, std::vector<std::string>& out) {
  bool more = false;
  if (!json.begin_array()) return false;
  while (json.next_element(more) && more) {
    std::string_view text;
    if (!json.read_string(text)) return false;
    out.emplace_back(text);
  }
  return !json.failed();
}

bool read_value(JsonReader& json, Value& out) {
  Kind kind{};
  if (!json.peek(kind)) return false;
  switch (kind) {
    case Kind::kNull: return json.skip_value();
    case Kind::kBool: return json.read_bool(out.emplace<bool>());
    case Kind::kArray: return read_texts(json, out.emplace<std::vector<std::string>>());
    case Kind::kString: {
      std::string_view text;
      if (!json.read_string(text)) return false;
      out.emplace<std::vector<std::string>>().emplace_back(text);
      return true;
    }
    case Kind::kNumber: {
      std::string_view token;
      bool integer = false;
      if (!json.read_number(token, integer)) return false;
      std::uint64_t number = 0;
      const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), number);
      if (integer && code == std::errc() && end == token.data() + token.size()) {
        out = number;
        return true;
      }
      break;
    }
    case Kind::kObject: break;
  }
  return json.fail(invalid_argument(fmt::format("The setting '{}' has a value that none can have (byte {}).",
                                                text::shortened(json.key()), json.offset())));
}

// Hands each member of the request's object to `take`; an empty body has none.
template <class Take>
Result<void> each_setting(const RequestBody& body, const Take& take) {
  const std::string_view text(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  if (text.empty()) return {};
  BASCULE_TRY(check_utf8(text, kWhat));
  JsonReader json(text, kWhat);
  bool more = false;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    const std::string name(json.key());
    Value value;
    if (!read_value(json, value)) break;
    BASCULE_TRY(take(name, value));
  }
  if (json.failed() || !json.finish()) return json.error();
  return {};
}

}  // namespace

std::string write_log_settings(Level level) {
  return fmt::format(
      R"({{"log_file":"","log_info":{},"log_warning":{},"log_error":{},"log_verbose_level":{},)"
      R"("log_format":"{}"}})",
      level <= Level::kInfo, level <= Level::kWarning, level <= Level::kError, level <= Level::kDebug ? 1 : 0,
      kLogFormat);
}

Result<Level> parse_log_settings(const RequestBody& body, Level now) {
  LogWish wish(now);
  BASCULE_TRY(
      each_setting(body, [&](std::string_view name, const Value& value) { return wish.take(name, value); }));
  return wish.level();
}

Result<Level> parse_log_settings_message(const RequestBody& message, Level now) {
  BASCULE_ASSIGN(const auto wire, read_small_message<inference::LogSettingsRequest>(message));
  LogWish wish(now);
  for (const auto& [name, setting] : wire.settings()) {
    Value value;
    switch (setting.parameter_choice_case()) {
      case inference::LogSettingsRequest::SettingValue::kBoolParam: value = setting.bool_param(); break;
      case inference::LogSettingsRequest::SettingValue::kUint32Param:
        value = std::uint64_t{setting.uint32_param()};
        break;
      case inference::LogSettingsRequest::SettingValue::kStringParam:
        value = std::vector<std::string>{setting.string_param()};
        break;
      case inference::LogSettingsRequest::SettingValue::PARAMETER_CHOICE_NOT_SET: break;
    }
    BASCULE_TRY(wish.take(name, value));
  }
  return wish.level();
}

std::string write_log_settings_message(Level level) {
  inference::LogSettingsResponse wire;
  auto& settings = *wire.mutable_settings();
  settings["log_file"].set_string_param("");
  settings["log_info"].set_bool_param(level <= Level::kInfo);
  settings["log_warning"].set_bool_param(level <= Level::kWarning);
  settings["log_error"].set_bool_param(level <= Level::kError);
  settings["log_verbose_level"].set_uint32_param(level <= Level::kDebug ? 1 : 0);
  settings["log_format"].set_string_param(std::string(kLogFormat));
  return wire.SerializeAsString();
}

std::string write_trace_settings() {
  std::string out = "{";
  for (const Fixed& setting : kTrace) {
    if (out.size() > 1) out += ',';
    const bool list = setting.name == "trace_level";
    out += fmt::format(R"("{}":{}"{}"{})", setting.name, list ? "[" : "", setting.value, list ? "]" : "");
  }
  out += '}';
  return out;
}

Result<void> check_trace_settings(const RequestBody& body) { return each_setting(body, check_trace); }

Result<std::string> parse_trace_setting_message(const RequestBody& message) {
  BASCULE_ASSIGN(const auto wire, read_small_message<inference::TraceSettingRequest>(message));
  for (const auto& [name, setting] : wire.settings()) {
    Value value;
    if (setting.value_size() > 0) {
      value = std::vector<std::string>(setting.value().begin(), setting.value().end());
    }
    BASCULE_TRY(check_trace(name, value));
  }
  return wire.model_name();
}

std::string write_trace_settings_message() {
  inference::TraceSettingResponse wire;
  for (const Fixed& setting : kTrace) {
    (*wire.mutable_settings())[std::string(setting.name)].add_value(std::string(setting.value));
  }
  return wire.SerializeAsString();
}

}  // namespace bascule::protocol::v2

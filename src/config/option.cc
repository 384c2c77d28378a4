#include "config/option.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "base/text.h"

namespace bascule::config {
namespace {

std::string range_text(const Option& option) {
  const std::string unit = option.unit.empty() ? "" : " " + option.unit;
  return fmt::format("{} to {}{}", option.min, option.max, unit);
}

Result<void> check_value(const Option& option, std::string_view value, std::string_view where) {
  const auto wrong = [&](std::string_view wanted) {
    return invalid_argument(fmt::format("{}: '{}' is not {}.", where, text::shortened(value), wanted));
  };
  switch (option.type) {
    case Type::kText:
      if (value.empty()) return wrong("a value; leave the option out instead");
      return {};
    case Type::kFlag:
      if (value != "true" && value != "false") return wrong("true or false");
      return {};
    case Type::kChoice:
      if (std::ranges::find(option.choices, value) == option.choices.end()) {
        return wrong(fmt::format("one of {}", fmt::join(option.choices, ", ")));
      }
      return {};
    case Type::kInteger:
    case Type::kNumber: {
      if (option.type == Type::kInteger && !text::parse_int(value)) {
        return wrong(fmt::format("a whole number from {}", range_text(option)));
      }
      const auto number = text::parse_double(value);
      if (!number || *number < option.min || *number > option.max) {
        return wrong(fmt::format("a number from {}", range_text(option)));
      }
      return {};
    }
  }
  return {};
}

std::string type_text(const Option& option) {
  switch (option.type) {
    case Type::kText: return "text";
    case Type::kFlag: return "true, false";
    case Type::kChoice: return fmt::format("{}", fmt::join(option.choices, ", "));
    case Type::kInteger:
    case Type::kNumber: return range_text(option);
  }
  return "text";
}

}  // namespace

std::string_view to_string(Origin origin) {
  switch (origin) {
    case Origin::kDefault: return "default";
    case Origin::kFile: return "file";
    case Origin::kEnvironment: return "environment";
    case Origin::kFlag: return "flag";
  }
  return "default";
}

const std::string& Values::text(std::string_view name) const {
  const auto found = values_.find(name);
  BASCULE_CHECK(found != values_.end());
  return found->second.text;
}

std::int64_t Values::integer(std::string_view name) const {
  const auto value = text::parse_int(text(name));
  BASCULE_CHECK(value.has_value());
  return *value;
}

double Values::number(std::string_view name) const {
  const auto value = text::parse_double(text(name));
  BASCULE_CHECK(value.has_value());
  return *value;
}

bool Values::flag(std::string_view name) const { return has(name) && text(name) == "true"; }

bool Values::has(std::string_view name) const { return values_.contains(name); }

Origin Values::origin(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? Origin::kDefault : found->second.origin;
}

Result<void> Values::set(const Option& option, std::string_view value, Origin origin,
                         std::string_view where) {
  BASCULE_TRY(check_value(option, value, where));
  const auto found = values_.find(option.name);
  if (found != values_.end() && found->second.origin > origin) return {};
  values_.insert_or_assign(option.name, Value{.text = std::string(value), .origin = origin});
  return {};
}

std::string flag_name(const Option& option) {
  std::string name = "--" + option.name;
  std::ranges::replace(name, '_', '-');
  return name;
}

std::string variable_name(const Option& option) {
  std::string name = "BASCULE_" + option.name;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return name;
}

Result<void> apply_defaults(std::span<const Option> options, Values& values) {
  for (const Option& option : options) {
    if (option.fallback.empty()) continue;
    BASCULE_TRY(values.set(option, option.fallback, Origin::kDefault, option.name));
  }
  return {};
}

Result<void> apply_environment(std::span<const Option> options, const char* (*lookup)(const char*),
                               Values& values) {
  for (const Option& option : options) {
    if (option.command_line_only) continue;
    const std::string variable = variable_name(option);
    const char* value = lookup(variable.c_str());
    if (value == nullptr || *value == '\0') continue;
    BASCULE_TRY(values.set(option, value, Origin::kEnvironment, variable));
  }
  return {};
}

std::string reference_markdown(std::span<const Option> options) {
  std::string out =
      "| flag | YAML key | variable | values | default | what it does |\n|---|---|---|---|---|---|\n";
  for (const Option& option : options) {
    const bool shell_only = option.command_line_only;
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} | {} | {} | {} |\n", flag_name(option),
                   shell_only ? "" : fmt::format("`{}`", option.name),
                   shell_only ? "" : fmt::format("`{}`", variable_name(option)), type_text(option),
                   option.fallback.empty() ? "" : fmt::format("`{}`", option.fallback), option.text);
  }
  return out;
}

std::string json_schema(std::span<const Option> options) {
  std::string out =
      "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"type\": \"object\",\n"
      "  \"additionalProperties\": false,\n  \"properties\": {\n"
      "    \"models\": {\"type\": \"array\", \"items\": {\"anyOf\": [{\"type\": \"string\"}, {\"type\": "
      "\"object\", "
      "\"required\": [\"path\"], \"additionalProperties\": false, \"properties\": {\"path\": {\"type\": "
      "\"string\"}, "
      "\"name\": {\"type\": \"string\"}}}]}}";
  for (const Option& option : options) {
    if (option.command_line_only) continue;
    std::string body;
    switch (option.type) {
      case Type::kText: body = "\"type\": \"string\""; break;
      case Type::kFlag: body = "\"type\": \"boolean\""; break;
      case Type::kInteger:
        body = fmt::format("\"type\": \"integer\", \"minimum\": {}, \"maximum\": {}", option.min, option.max);
        break;
      case Type::kNumber:
        body = fmt::format("\"type\": \"number\", \"minimum\": {}, \"maximum\": {}", option.min, option.max);
        break;
      case Type::kChoice: {
        std::vector<std::string> quoted;
        for (const auto& choice : option.choices) quoted.push_back(text::json_quoted(choice));
        body = fmt::format("\"enum\": [{}]", fmt::join(quoted, ", "));
        break;
      }
    }
    fmt::format_to(std::back_inserter(out), ",\n    \"{}\": {{{}, \"description\": {}}}", option.name, body,
                   text::json_quoted(option.text));
  }
  return out + "\n  }\n}\n";
}

}  // namespace bascule::config

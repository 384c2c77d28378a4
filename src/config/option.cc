#include "config/option.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "base/text.h"

namespace bascule::config {
namespace {

std::string range_text(const Option& option) {
  const std::string unit = option.unit.empty() ? "" : " " + option.unit;
  std::string out = fmt::format("{} to {}{}", option.min, option.max, unit);
  if (!option.choices.empty()) out += fmt::format(", or {}", fmt::join(option.choices, " or "));
  return out;
}

bool is_choice(const Option& option, std::string_view value) {
  return std::ranges::find(option.choices, value) != option.choices.end();
}

// `where` names the place in the error.
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
      if (!is_choice(option, value)) return wrong(fmt::format("one of {}", fmt::join(option.choices, ", ")));
      return {};
    case Type::kInteger:
    case Type::kNumber: {
      if (is_choice(option, value)) return {};
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

// A flag's and a variable's name is their place; a line of a file needs the key.
std::string where_text(const Option& option, const Source& source) {
  switch (source.origin) {
    case Origin::kDefault: return option.name;
    case Origin::kEnvironment:
    case Origin::kFlag: return source.place;
    default: return fmt::format("{}: {}", source.place, option.name);
  }
}

std::vector<std::string> split(std::string_view value) {
  std::vector<std::string> items;
  while (true) {
    const std::size_t comma = std::min(value.find(','), value.size());
    items.emplace_back(text::trimmed(value.substr(0, comma)));
    if (comma == value.size()) return items;
    value.remove_prefix(comma + 1);
  }
}

}  // namespace

const std::string& Values::text(std::string_view name) const {
  const auto found = values_.find(name);
  BASCULE_CHECK(found != values_.end() && found->second.items.size() == 1);
  return found->second.items.front();
}

std::int64_t Values::integer(std::string_view name) const {
  const auto value = text::parse_int(text(name));
  BASCULE_CHECK(value.has_value());
  return *value;
}

std::optional<std::int64_t> Values::integer_or_word(std::string_view name) const {
  return text::parse_int(text(name));
}

double Values::number(std::string_view name) const {
  const auto value = text::parse_double(text(name));
  BASCULE_CHECK(value.has_value());
  return *value;
}

bool Values::flag(std::string_view name) const { return has(name) && text(name) == "true"; }

std::vector<std::string> Values::items(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second.items;
}

bool Values::has(std::string_view name) const { return values_.contains(name); }

Source Values::source(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? Source{} : found->second.source;
}

Result<void> Values::set(const Option& option, std::string_view value, const Source& source) {
  if (option.max_items > 0) return set_items(option, split(value), source);
  BASCULE_TRY(check_value(option, value, where_text(option, source)));
  keep(option.name, {.items = {std::string(value)}, .source = source});
  return {};
}

Result<void> Values::set_items(const Option& option, std::vector<std::string> items, const Source& source) {
  if (items.size() > option.max_items) {
    return invalid_argument(fmt::format("{}: {} values are given; at most {} are taken.",
                                        where_text(option, source), items.size(), option.max_items));
  }
  for (const std::string& item : items) BASCULE_TRY(check_value(option, item, where_text(option, source)));
  keep(option.name, {.items = std::move(items), .source = source});
  return {};
}

void Values::merge(const Values& other) {
  for (const auto& [name, value] : other.values_) keep(name, value);
}

void Values::keep(const std::string& name, Value value) {
  const auto found = values_.find(name);
  if (found != values_.end() && found->second.source.origin > value.source.origin) return;
  values_.insert_or_assign(name, std::move(value));
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

std::string values_text(const Option& option) {
  const auto of_one = [&]() -> std::string {
    switch (option.type) {
      case Type::kText: return "text";
      case Type::kFlag: return "true, false";
      case Type::kChoice: return fmt::format("{}", fmt::join(option.choices, ", "));
      case Type::kInteger:
      case Type::kNumber: return range_text(option);
    }
    return "text";
  };
  if (option.max_items == 0) return of_one();
  return fmt::format("{}; at most {}", of_one(), option.max_items);
}

Result<void> apply_defaults(std::span<const Option> options, Values& values) {
  for (const Option& option : options) {
    if (option.fallback.empty()) continue;
    BASCULE_TRY(values.set(option, option.fallback, {}));
  }
  return {};
}

Result<void> apply_environment(std::span<const Option> options, const char* (*lookup)(const char*),
                               Values& values) {
  for (const Option& option : options) {
    if (option.command_line_only || option.one_model_only) continue;
    const std::string variable = variable_name(option);
    const char* value = lookup(variable.c_str());
    if (value == nullptr || *value == '\0') continue;
    BASCULE_TRY(values.set(option, value, {.origin = Origin::kEnvironment, .place = variable}));
  }
  return {};
}

}  // namespace bascule::config

#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "config/option.h"

namespace bascule::config {
namespace {

std::string code(const std::string& text) { return text.empty() ? "" : fmt::format("`{}`", text); }

std::string table(std::span<const Option> options) {
  std::string out =
      "| flag | YAML key | variable | values | default | what it does |\n|---|---|---|---|---|---|\n";
  for (const Option& option : options) {
    const bool yaml = !option.command_line_only;
    const bool flag = !option.one_model_only;
    fmt::format_to(std::back_inserter(out), "| {} | {} | {} | {} | {} | {} |\n",
                   flag ? code(flag_name(option)) : "", yaml ? code(option.name) : "",
                   yaml && flag ? code(variable_name(option)) : "", values_text(option),
                   code(option.fallback), option.text);
  }
  return out;
}

std::string quoted(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ", ";
    out += text::json_quoted(word);
  }
  return out;
}

std::string value_schema(const Option& option) {
  const auto number = [&](std::string_view type) {
    return fmt::format("\"type\": \"{}\", \"minimum\": {}, \"maximum\": {}", type, option.min, option.max);
  };
  switch (option.type) {
    case Type::kText: return "\"type\": \"string\"";
    case Type::kFlag: return "\"type\": \"boolean\"";
    case Type::kInteger:
      if (option.choices.empty()) return number("integer");
      return fmt::format("\"anyOf\": [{{{}}}, {{\"enum\": [{}]}}]", number("integer"),
                         quoted(option.choices));
    case Type::kNumber: return number("number");
    case Type::kChoice: return fmt::format("\"enum\": [{}]", quoted(option.choices));
  }
  return "";
}

// The members of "properties", with commas between them.
std::string properties(std::span<const Option> options, bool of_one_model, std::string_view indent) {
  std::string out;
  for (const Option& option : options) {
    if (option.command_line_only || (option.one_model_only && !of_one_model)) continue;
    const std::string value = value_schema(option);
    const std::string body = option.max_items == 0
                                 ? value
                                 : fmt::format("\"type\": \"array\", \"items\": {{{}}}, \"maxItems\": {}",
                                               value, option.max_items);
    fmt::format_to(std::back_inserter(out), "{}{}\"{}\": {{{}, \"description\": {}}}",
                   out.empty() ? "" : ",\n", indent, option.name, body, text::json_quoted(option.text));
  }
  return out;
}

constexpr std::string_view kHead =
    "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"type\": \"object\",\n"
    "  \"additionalProperties\": false,\n  \"properties\": {\n";
constexpr std::string_view kEnd = "\n  }\n}\n";

}  // namespace

std::string reference_markdown(const Tables& tables) {
  return fmt::format("### The server\n\n{}\n### Each model\n\n{}", table(tables.server), table(tables.model));
}

std::string json_schema(const Tables& tables) {
  std::string out(kHead);
  out +=
      "    \"models\": {\"type\": \"array\", \"items\": {\"anyOf\": [{\"type\": \"string\"}, {\"type\": "
      "\"object\", \"required\": [\"path\"], \"additionalProperties\": false, \"properties\": {\n"
      "      \"path\": {\"type\": \"string\"},\n      \"name\": {\"type\": \"string\"},\n";
  out += properties(tables.model, true, "      ");
  out += "\n    }}]}},\n";
  out += "    \"applications\": {\"type\": \"array\", \"items\": {\"type\": \"object\"}},\n";
  out += properties(tables.server, false, "    ");
  out += ",\n";
  out += properties(tables.model, false, "    ");
  out += kEnd;
  return out;
}

std::string model_json_schema(const Tables& tables) {
  std::string out(kHead);
  out += properties(tables.model, true, "    ");
  out += kEnd;
  return out;
}

}  // namespace bascule::config

#include "config/flat_yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"

namespace bascule::config {
namespace {

constexpr int kMaxDepth = 8;

// A word that Python reads as a number or constant stands as it is, all else in quotes.
std::string literal(const YAML::Node& scalar) {
  const std::string& word = scalar.Scalar();
  const bool quoted = scalar.Tag() == "!";
  if (!quoted && (text::parse_int(word) || text::parse_double(word))) return word;
  if (!quoted && (word == "true" || word == "True")) return "True";
  if (!quoted && (word == "false" || word == "False")) return "False";
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// False where it is nested too deep.
bool write(const YAML::Node& node, int depth, std::string& out) {
  if (depth > kMaxDepth) return false;
  if (node.IsMap()) {
    out += '{';
    for (const auto& item : node) {
      if (out.back() != '{') out += ", ";
      if (!write(item.first, depth + 1, out)) return false;
      out += ": ";
      if (!write(item.second, depth + 1, out)) return false;
    }
    out += '}';
    return true;
  }
  if (node.IsSequence()) {
    out += '[';
    for (const YAML::Node& item : node) {
      if (out.back() != '[') out += ", ";
      if (!write(item, depth + 1, out)) return false;
    }
    out += ']';
    return true;
  }
  out += node.IsScalar() ? literal(node) : "None";
  return true;
}

}  // namespace

Result<std::map<std::string, std::string>> read_flat_yaml(std::string_view yaml,
                                                          const std::string& file_name) {
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsMap()) {
      return invalid_argument(fmt::format("{}: expected a map of names and values.", file_name));
    }
    std::map<std::string, std::string> out;
    for (const auto& item : root) {
      const YAML::Node& key = item.first;
      const YAML::Node& value = item.second;
      if (!key.IsScalar()) continue;
      std::string text;
      if (value.IsScalar()) {
        text = value.Scalar();
      } else if (!write(value, 1, text)) {
        return invalid_argument(fmt::format("{}:{}: '{}' is nested deeper than {} levels.", file_name,
                                            key.Mark().line + 1, text::shortened(key.Scalar()), kMaxDepth));
      }
      out.insert_or_assign(key.Scalar(), std::move(text));
    }
    return out;
  } catch (const YAML::Exception& error) {
    return invalid_argument(
        fmt::format("{}:{}: {}.", file_name, error.mark.line + 1, text::shortened(error.msg)));
  }
}

}  // namespace bascule::config

#include "config/yaml_file.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::config {
namespace {

constexpr std::int64_t kYearMs = std::int64_t{366} * 24 * 3600 * 1000;

}  // namespace

std::string YamlFile::place(const YAML::Node& node) const {
  return fmt::format("{}:{}", name_, node.Mark().line + 1);
}

Error YamlFile::wrong(const YAML::Node& node, std::string_view what) const {
  return invalid_argument(fmt::format("{}: {}{}", place(node), what, what.ends_with('?') ? "" : "."));
}

Error YamlFile::unknown(const YAML::Node& node, std::string_view key,
                        const std::vector<std::string>& known) const {
  const auto near = text::nearest(key, known);
  return wrong(node, fmt::format("unknown key '{}'{}", text::shortened(key),
                                 near ? fmt::format("; did you mean '{}'?", *near) : ""));
}

Result<void> YamlFile::map(const YAML::Node& node, std::string_view what,
                           const std::vector<std::string>& known) const {
  if (!node.IsMap()) return wrong(node, fmt::format("{} must be a map of keys and values", what));
  if (node.size() > kMaxYamlItems) {
    return wrong(node, fmt::format("{} has {} keys, over the limit of {}", what, node.size(), kMaxYamlItems));
  }
  std::set<std::string> seen;
  for (const auto& member : node) {
    BASCULE_ASSIGN(const std::string key, scalar(member.first, "a key"));
    if (!seen.insert(key).second)
      return wrong(member.first, fmt::format("'{}' is given twice", text::shortened(key)));
    if (!known.empty() && std::ranges::find(known, key) == known.end())
      return unknown(member.first, key, known);
  }
  return {};
}

Result<YAML::Node> YamlFile::list(const YAML::Node& node, std::string_view what) const {
  if (!node.IsSequence() || node.size() > kMaxYamlItems) {
    return wrong(node, fmt::format("{} must be a list of at most {}", what, kMaxYamlItems));
  }
  return node;
}

Result<std::string> YamlFile::scalar(const YAML::Node& node, std::string_view what) const {
  if (!node.IsScalar()) return wrong(node, fmt::format("{} must be a single value", what));
  return node.Scalar();
}

Result<double> YamlFile::number(const YAML::Node& node, std::string_view what, double least,
                                double most) const {
  BASCULE_ASSIGN(const std::string text, scalar(node, what));
  const auto number = text::parse_double(text);
  if (number && *number >= least && *number <= most) return *number;
  return wrong(node, fmt::format("{} is '{}'; it must be a number from {} to {}", what, text::shortened(text),
                                 least, most));
}

Result<std::int64_t> YamlFile::integer(const YAML::Node& node, std::string_view what, std::int64_t least,
                                       std::int64_t most) const {
  BASCULE_ASSIGN(const std::string text, scalar(node, what));
  const auto number = text::parse_int(text);
  if (number && *number >= least && *number <= most) return *number;
  return wrong(node, fmt::format("{} is '{}'; it must be a whole number from {} to {}", what,
                                 text::shortened(text), least, most));
}

Result<bool> YamlFile::flag(const YAML::Node& node, std::string_view what) const {
  BASCULE_ASSIGN(const std::string text, scalar(node, what));
  if (text == "true" || text == "false") return text == "true";
  return wrong(node, fmt::format("{} is '{}'; it must be true or false", what, text::shortened(text)));
}

Result<std::int64_t> YamlFile::duration_ms(const YAML::Node& node, std::string_view what) const {
  static constexpr std::array<std::pair<std::string_view, double>, 6> kUnits = {
      {{"ms", 1}, {"min", 60'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"s", 1000}}};
  BASCULE_ASSIGN(const std::string text, scalar(node, what));
  for (const auto& [unit, ms] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto number =
        text::parse_double(text::trimmed(std::string_view(text).substr(0, text.size() - unit.size())));
    if (!number || *number < 0 || *number * ms > static_cast<double>(kYearMs)) break;
    return static_cast<std::int64_t>(*number * ms);
  }
  return wrong(
      node, fmt::format("{} is '{}'; it must be a time such as 500 ms, 10s, 2 min, 1h or 7d, a year at most",
                        what, text::shortened(text)));
}

}  // namespace bascule::config

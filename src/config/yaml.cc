#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "config/option.h"

namespace bascule::config {
namespace {

// Reads one configuration file. Exceptions of the library end in `apply_yaml`.
class Reader {
 public:
  Reader(std::span<const Option> options, const std::string& file, Values& values)
      : options_(options), file_(file), values_(values) {}

  Result<std::vector<ModelEntry>> read(const YAML::Node& root) {
    if (root.IsNull()) return std::vector<ModelEntry>{};
    if (!root.IsMap()) return wrong(root, "a configuration is a map of keys and values");
    std::set<std::string> seen;
    std::vector<ModelEntry> models;
    for (const auto& member : root) {
      BASCULE_ASSIGN(const std::string key, scalar(member.first, "a key"));
      if (!seen.insert(key).second) return wrong(member.first, fmt::format("'{}' is given twice", key));
      if (key == "models") {
        BASCULE_ASSIGN(models, model_list(member.second));
      } else {
        BASCULE_TRY(option(key, member.first, member.second));
      }
    }
    return models;
  }

 private:
  Error wrong(const YAML::Node& node, std::string_view what) const {
    return invalid_argument(
        fmt::format("{}:{}: {}{}", file_, node.Mark().line + 1, what, what.ends_with('?') ? "" : "."));
  }

  Result<std::string> scalar(const YAML::Node& node, std::string_view what) const {
    if (!node.IsScalar()) return wrong(node, fmt::format("{} must be a single value", what));
    return node.Scalar();
  }

  Result<void> option(const std::string& key, const YAML::Node& key_node, const YAML::Node& value) {
    for (const Option& candidate : options_) {
      if (candidate.name != key || candidate.command_line_only) continue;
      BASCULE_ASSIGN(const std::string text, scalar(value, fmt::format("'{}'", key)));
      return values_.set(candidate, text, Origin::kFile,
                         fmt::format("{}:{}: {}", file_, value.Mark().line + 1, key));
    }
    return unknown(key, key_node, known_keys());
  }

  std::vector<std::string> known_keys() const {
    std::vector<std::string> known = {"models"};
    for (const Option& candidate : options_) {
      if (!candidate.command_line_only) known.push_back(candidate.name);
    }
    return known;
  }

  Error unknown(const std::string& key, const YAML::Node& node, const std::vector<std::string>& known) const {
    const auto near = text::nearest(key, known);
    return wrong(node, fmt::format("unknown key '{}'{}", text::shortened(key),
                                   near ? fmt::format("; did you mean '{}'?", *near) : ""));
  }

  Result<std::vector<ModelEntry>> model_list(const YAML::Node& node) {
    if (!node.IsSequence()) return wrong(node, "'models' must be a list of paths");
    std::vector<ModelEntry> out;
    for (const YAML::Node& item : node) {
      ModelEntry entry;
      if (item.IsScalar()) {
        entry.path = item.Scalar();
      } else if (item.IsMap()) {
        BASCULE_TRY(model_entry(item, entry));
      } else {
        return wrong(item, "a model is a path, or a map of 'path' and 'name'");
      }
      if (entry.path.empty()) return wrong(item, "a model needs a 'path'");
      out.push_back(std::move(entry));
    }
    return out;
  }

  Result<void> model_entry(const YAML::Node& item, ModelEntry& entry) {
    std::set<std::string> seen;
    for (const auto& member : item) {
      BASCULE_ASSIGN(const std::string key, scalar(member.first, "a key"));
      if (!seen.insert(key).second) return wrong(member.first, fmt::format("'{}' is given twice", key));
      if (key != "path" && key != "name") return unknown(key, member.first, {"path", "name"});
      BASCULE_ASSIGN((key == "path" ? entry.path : entry.name), scalar(member.second, key));
    }
    return {};
  }

  const std::span<const Option> options_;
  const std::string& file_;
  Values& values_;
};

}  // namespace

Result<std::vector<ModelEntry>> apply_yaml(std::span<const Option> options, std::string_view yaml,
                                           const std::string& file_name, Values& values) {
  try {
    return Reader(options, file_name, values).read(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& error) {
    return invalid_argument(fmt::format("{}:{}: this is not YAML that can be read: {}.", file_name,
                                        error.mark.line + 1, error.msg));
  }
}

}  // namespace bascule::config

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"
#include "config/option.h"

namespace bascule::config {
namespace {

using Models = std::vector<ModelEntry>;

std::vector<std::string> names_of(std::span<const Option> options, bool of_one_model) {
  std::vector<std::string> names;
  for (const Option& option : options) {
    if (!option.command_line_only && (of_one_model || !option.one_model_only)) names.push_back(option.name);
  }
  return names;
}

// Reads one configuration file. Exceptions of the library end in `parse`.
class Reader {
 public:
  Reader(const std::string& file, Origin origin) : file_(file), origin_(origin) {}

  // Calls `take(key, key's node, value's node)` for every member of a map.
  template <class Take>
  Result<void> each(const YAML::Node& map, Take take) const {
    std::set<std::string> seen;
    for (const auto& member : map) {
      BASCULE_ASSIGN(const std::string key, scalar(member.first, "a key"));
      if (!seen.insert(key).second) return wrong(member.first, fmt::format("'{}' is given twice", key));
      BASCULE_TRY(take(key, member.first, member.second));
    }
    return {};
  }

  Result<void> server_file(const YAML::Node& root, const Tables& tables, Values& values,
                           Models& models) const {
    if (root.IsNull()) return {};
    if (!root.IsMap()) return wrong(root, "a configuration is a map of keys and values");
    std::vector<std::string> known = names_of(tables.server, false);
    std::ranges::move(names_of(tables.model, false), std::back_inserter(known));
    known.emplace_back("models");
    known.emplace_back("applications");
    return each(
        root, [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) -> Result<void> {
          if (key == "models") return model_list(value, tables.model, models);
          if (key == "applications") return {};  // read_applications reads them
          if (const Option* const of_one = find(tables.model, key);
              of_one != nullptr && of_one->one_model_only) {
            return wrong(
                at, fmt::format("'{}' is said of one model: in its entry of 'models', or its own file", key));
          }
          if (std::ranges::find(known, key) == known.end()) return unknown(key, at, known);
          const Option* const option = find(tables.server, key);
          return take_value(option != nullptr ? *option : *find(tables.model, key), value, origin_, values);
        });
  }

  Result<void> model_file(const YAML::Node& root, std::span<const Option> options, Values& values) const {
    if (root.IsNull()) return {};
    if (!root.IsMap()) return wrong(root, "a model's settings are a map of keys and values");
    return each(root,
                [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) -> Result<void> {
                  const Option* const option = find(options, key);
                  if (option == nullptr) return unknown(key, at, names_of(options, true));
                  return take_value(*option, value, origin_, values);
                });
  }

  Result<void> list_file(const YAML::Node& root, const std::string& name, std::span<const Option> options,
                         std::vector<Values>& entries) const {
    if (!root.IsMap()) return wrong(root, fmt::format("this is not a file of '{}:' and a list", name));
    return each(root,
                [&](const std::string& key, const YAML::Node& at, const YAML::Node& list) -> Result<void> {
                  if (key != name) return unknown(key, at, {name});
                  if (!list.IsSequence()) return wrong(list, fmt::format("'{}' must be a list", name));
                  for (const YAML::Node& item : list) {
                    if (!item.IsMap()) return wrong(item, fmt::format("an entry of '{}' is a map", name));
                    BASCULE_TRY(model_file(item, options, entries.emplace_back()));
                  }
                  return {};
                });
  }

 private:
  Error wrong(const YAML::Node& node, std::string_view what) const {
    return invalid_argument(fmt::format("{}: {}{}", place(node), what, what.ends_with('?') ? "" : "."));
  }

  std::string place(const YAML::Node& node) const {
    return fmt::format("{}:{}", file_, node.Mark().line + 1);
  }

  Result<std::string> scalar(const YAML::Node& node, std::string_view what) const {
    if (!node.IsScalar()) return wrong(node, fmt::format("{} must be a single value", what));
    return node.Scalar();
  }

  static const Option* find(std::span<const Option> options, const std::string& key) {
    const auto found = std::ranges::find(options, key, &Option::name);
    return found == options.end() || found->command_line_only ? nullptr : &*found;
  }

  Result<void> take_value(const Option& option, const YAML::Node& value, Origin origin,
                          Values& values) const {
    const Source source{.origin = origin, .place = place(value)};
    if (option.max_items == 0) {
      BASCULE_ASSIGN(const std::string text, scalar(value, fmt::format("'{}'", option.name)));
      return values.set(option, text, source);
    }
    if (!value.IsSequence()) return wrong(value, fmt::format("'{}' must be a list", option.name));
    std::vector<std::string> items;
    for (const YAML::Node& item : value) {
      BASCULE_ASSIGN(std::string text, scalar(item, fmt::format("a value of '{}'", option.name)));
      items.push_back(std::move(text));
    }
    return values.set_items(option, std::move(items), source);
  }

  Error unknown(const std::string& key, const YAML::Node& node, const std::vector<std::string>& known) const {
    const auto near = text::nearest(key, known);
    return wrong(node, fmt::format("unknown key '{}'{}", text::shortened(key),
                                   near ? fmt::format("; did you mean '{}'?", *near) : ""));
  }

  Result<void> model_list(const YAML::Node& node, std::span<const Option> options, Models& models) const {
    if (!node.IsSequence()) return wrong(node, "'models' must be a list of paths");
    for (const YAML::Node& item : node) {
      ModelEntry entry;
      if (item.IsScalar()) {
        entry.path = item.Scalar();
      } else if (item.IsMap()) {
        BASCULE_TRY(model_entry(item, options, entry));
      } else {
        return wrong(item, "a model is a path, or a map of 'path', 'name' and settings");
      }
      if (entry.path.empty()) return wrong(item, "a model needs a 'path'");
      models.push_back(std::move(entry));
    }
    return {};
  }

  Result<void> model_entry(const YAML::Node& item, std::span<const Option> options, ModelEntry& entry) const {
    return each(item,
                [&](const std::string& key, const YAML::Node& at, const YAML::Node& value) -> Result<void> {
                  if (key == "path" || key == "name") {
                    BASCULE_ASSIGN((key == "path" ? entry.path : entry.name), scalar(value, key));
                    return {};
                  }
                  if (const Option* const option = find(options, key)) {
                    return take_value(*option, value, Origin::kModelEntry, entry.values);
                  }
                  std::vector<std::string> known = names_of(options, true);
                  known.insert(known.end(), {"path", "name"});
                  return unknown(key, at, known);
                });
  }

  const std::string& file_;
  const Origin origin_;
};

// Gives the file's root to `read`.
template <class Read>
Result<void> parse(std::string_view yaml, const std::string& file_name, Read read) {
  try {
    return read(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& error) {
    return invalid_argument(fmt::format("{}:{}: this is not YAML that can be read: {}.", file_name,
                                        error.mark.line + 1, error.msg));
  }
}

}  // namespace

Result<std::vector<ModelEntry>> apply_yaml(const Tables& tables, std::string_view yaml,
                                           const std::string& file_name, Values& values) {
  const Reader reader(file_name, Origin::kFile);
  Models models;
  BASCULE_TRY(parse(yaml, file_name, [&](const YAML::Node& root) {
    return reader.server_file(root, tables, values, models);
  }));
  return models;
}

Result<void> apply_model_yaml(std::span<const Option> options, std::string_view yaml,
                              const std::string& file_name, Values& values) {
  const Reader reader(file_name, Origin::kModelFile);
  return parse(yaml, file_name,
               [&](const YAML::Node& root) { return reader.model_file(root, options, values); });
}

Result<std::vector<Values>> read_yaml_list(const std::string& key, std::span<const Option> options,
                                           std::string_view yaml, const std::string& file_name) {
  const Reader reader(file_name, Origin::kFile);
  std::vector<Values> entries;
  BASCULE_TRY(parse(yaml, file_name,
                    [&](const YAML::Node& root) { return reader.list_file(root, key, options, entries); }));
  return Result<std::vector<Values>>(std::move(entries));
}

}  // namespace bascule::config

#include "config/data_yaml.h"

#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"

namespace bascule::config {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  Result<DataYaml> read(const YAML::Node& root, const std::string& split) const {
    if (!root.IsMap()) return wrong(root, "a data set is described by a map of keys and values");
    DataYaml out;
    if (const YAML::Node path = root["path"]; path && !path.IsNull()) {
      BASCULE_ASSIGN(out.path, scalar(path, "'path'"));
    }
    const bool renamed = split == "val" && !root["val"];
    const YAML::Node pictures = root[renamed ? std::string("validation") : split];
    if (!pictures || pictures.IsNull()) {
      return wrong(root, fmt::format("there is no '{}'; it names the folder of the pictures", split));
    }
    if (pictures.IsSequence()) {
      for (const YAML::Node& item : pictures) {
        BASCULE_ASSIGN(std::string one, scalar(item, fmt::format("a path of '{}'", split)));
        out.split.push_back(std::move(one));
      }
    } else {
      BASCULE_ASSIGN(std::string one, scalar(pictures, fmt::format("'{}'", split)));
      out.split.push_back(std::move(one));
    }
    if (const YAML::Node names = root["names"]; names && !names.IsNull()) {
      BASCULE_TRY(read_names(names, out.names));
    }
    return out;
  }

 private:
  Result<void> read_names(const YAML::Node& names, std::map<int, std::string>& out) const {
    if (names.IsSequence()) {
      for (const YAML::Node& item : names) {
        BASCULE_ASSIGN(std::string name, scalar(item, "a name of 'names'"));
        out.emplace(static_cast<int>(out.size()), std::move(name));
      }
      return {};
    }
    if (!names.IsMap()) return wrong(names, "'names' is a list, or a map of numbers to names");
    for (const auto& member : names) {
      BASCULE_ASSIGN(const std::string number, scalar(member.first, "a number of 'names'"));
      BASCULE_ASSIGN(std::string name, scalar(member.second, "a name of 'names'"));
      const auto class_id = text::parse_int(number);
      if (!class_id || *class_id < 0 || *class_id > 1'000'000) {
        return wrong(member.first, fmt::format("'{}' is no class; classes are whole numbers from 0",
                                               text::shortened(number)));
      }
      out.insert_or_assign(static_cast<int>(*class_id), std::move(name));
    }
    return {};
  }

  Error wrong(const YAML::Node& node, std::string_view what) const {
    return invalid_argument(fmt::format("{}:{}: {}.", file_, node.Mark().line + 1, what));
  }

  Result<std::string> scalar(const YAML::Node& node, std::string_view what) const {
    if (!node.IsScalar()) return wrong(node, fmt::format("{} must be a single value", what));
    return node.Scalar();
  }

  const std::string& file_;
};

}  // namespace

Result<DataYaml> read_data_yaml(std::string_view yaml, const std::string& file_name,
                                const std::string& split) {
  try {
    return Reader(file_name).read(YAML::Load(std::string(yaml)), split);
  } catch (const YAML::Exception& error) {
    return invalid_argument(fmt::format("{}:{}: this is not YAML that can be read: {}.", file_name,
                                        error.mark.line + 1, error.msg));
  }
}

}  // namespace bascule::config

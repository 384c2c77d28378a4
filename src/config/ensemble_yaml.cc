#include "config/ensemble_yaml.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "base/text.h"

namespace bascule::config {
namespace {

constexpr std::size_t kMaxItems = 1024;  // of any list or map
constexpr std::size_t kMaxSteps = 64;
constexpr std::int64_t kMaxInflight = 1'000'000;
constexpr std::int64_t kMaxCrops = 1000;

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  Result<std::optional<EnsembleYaml>> read(const YAML::Node& root) const {
    if (!root.IsMap() || !root["ensemble"]) return std::optional<EnsembleYaml>();
    BASCULE_TRY(only(root, {"ensemble"}));
    const YAML::Node node = root["ensemble"];
    if (!node.IsMap()) return wrong(node, "'ensemble' is a map");
    BASCULE_TRY(only(node, {"inputs", "outputs", "steps", "crop_then_classify", "max_inflight_requests"}));
    EnsembleYaml out;
    if (const YAML::Node limit = node["max_inflight_requests"]) {
      BASCULE_ASSIGN(out.max_inflight_requests, integer(limit, "max_inflight_requests", 0, kMaxInflight));
    }
    if (const YAML::Node crops = node["crop_then_classify"]) {
      for (const char* other : {"steps", "inputs", "outputs"}) {
        if (node[other]) {
          return wrong(node[other],
                       fmt::format("'{}' has no place beside 'crop_then_classify', which takes a "
                                   "picture and gives boxes",
                                   other));
        }
      }
      BASCULE_ASSIGN(out.crops, read_crops(crops));
      return std::optional(std::move(out));
    }
    BASCULE_ASSIGN(out.inputs, read_tensors(node, "inputs"));
    BASCULE_ASSIGN(out.outputs, read_tensors(node, "outputs"));
    BASCULE_ASSIGN(const YAML::Node steps, list(node, "steps"));
    if (steps.size() > kMaxSteps) return wrong(steps, fmt::format("there are more than {} steps", kMaxSteps));
    for (const YAML::Node& step : steps) {
      BASCULE_ASSIGN(EnsembleYaml::Step one, read_step(step));
      out.steps.push_back(std::move(one));
    }
    return std::optional(std::move(out));
  }

 private:
  Result<EnsembleYaml::Crops> read_crops(const YAML::Node& node) const {
    if (!node.IsMap()) return wrong(node, "'crop_then_classify' is a map");
    BASCULE_TRY(only(node, {"detector", "classifier", "margin", "max_crops"}));
    EnsembleYaml::Crops out;
    BASCULE_ASSIGN(out.detector, needed(node, "detector"));
    BASCULE_ASSIGN(out.classifier, needed(node, "classifier"));
    if (const YAML::Node margin = node["margin"]) {
      BASCULE_ASSIGN(const std::string text, scalar(margin, "'margin'"));
      const auto number = text::parse_double(text);
      if (!number || *number < 0 || *number > 1) {
        return wrong(margin,
                     fmt::format("'margin' is '{}'; it must be a number from 0 to 1", text::shortened(text)));
      }
      out.margin = *number;
    }
    if (const YAML::Node most = node["max_crops"]) {
      BASCULE_ASSIGN(out.max_crops, integer(most, "max_crops", 1, kMaxCrops));
    }
    return out;
  }

  Result<std::vector<EnsembleYaml::Tensor>> read_tensors(const YAML::Node& node,
                                                         const std::string& key) const {
    BASCULE_ASSIGN(const YAML::Node all, list(node, key));
    std::vector<EnsembleYaml::Tensor> out;
    for (const YAML::Node& item : all) {
      if (!item.IsMap())
        return wrong(item, fmt::format("an entry of '{}' is a map of name, datatype and shape", key));
      BASCULE_TRY(only(item, {"name", "datatype", "shape"}));
      EnsembleYaml::Tensor tensor{.place = place(item)};
      BASCULE_ASSIGN(tensor.name, needed(item, "name"));
      BASCULE_ASSIGN(tensor.datatype, needed(item, "datatype"));
      BASCULE_ASSIGN(const YAML::Node shape, list(item, "shape"));
      for (const YAML::Node& dim : shape) {
        BASCULE_ASSIGN(const std::int64_t value, integer(dim, "shape", -1, std::int64_t{1} << 40U));
        tensor.shape.push_back(value);
      }
      out.push_back(std::move(tensor));
    }
    return out;
  }

  Result<EnsembleYaml::Step> read_step(const YAML::Node& node) const {
    if (!node.IsMap()) return wrong(node, "a step is a map of model, inputs and outputs");
    BASCULE_TRY(only(node, {"model", "version", "inputs", "outputs"}));
    EnsembleYaml::Step out{.place = place(node)};
    BASCULE_ASSIGN(out.model, needed(node, "model"));
    if (const YAML::Node version = node["version"]) {
      BASCULE_ASSIGN(const std::int64_t number, integer(version, "version", 1, std::int64_t{1} << 40U));
      out.version = std::to_string(number);
    }
    BASCULE_ASSIGN(out.inputs, read_names(node, "inputs"));
    BASCULE_ASSIGN(out.outputs, read_names(node, "outputs"));
    return out;
  }

  Result<std::map<std::string, std::string>> read_names(const YAML::Node& node,
                                                        const std::string& key) const {
    const YAML::Node names = node[key];
    if (!names || !names.IsMap() || names.size() == 0 || names.size() > kMaxItems) {
      return wrong(names ? names : node,
                   fmt::format("'{}' of a step is a map of the model's names to the ensemble's", key));
    }
    std::map<std::string, std::string> out;
    for (const auto& member : names) {
      BASCULE_ASSIGN(std::string name, scalar(member.first, "a tensor's name"));
      BASCULE_ASSIGN(std::string tensor, scalar(member.second, "a tensor's name"));
      if (name.empty() || tensor.empty()) return wrong(member.first, "a tensor's name is not empty");
      out.emplace(std::move(name), std::move(tensor));
    }
    return out;
  }

  Result<void> only(const YAML::Node& map, const std::vector<std::string>& known) const {
    std::set<std::string> seen;
    for (const auto& member : map) {
      BASCULE_ASSIGN(const std::string key, scalar(member.first, "a key"));
      if (!seen.insert(key).second) return wrong(member.first, fmt::format("'{}' is given twice", key));
      if (std::ranges::find(known, key) != known.end()) continue;
      const auto near = text::nearest(key, known);
      return wrong(member.first, fmt::format("unknown key '{}'{}", text::shortened(key),
                                             near ? fmt::format("; did you mean '{}'?", *near) : ""));
    }
    return {};
  }

  Result<YAML::Node> list(const YAML::Node& node, const std::string& key) const {
    YAML::Node found = node[key];
    if (!found || !found.IsSequence() || found.size() == 0 || found.size() > kMaxItems) {
      return wrong(found ? found : node, fmt::format("'{}' must be a list of at least one", key));
    }
    return found;
  }

  Result<std::string> needed(const YAML::Node& node, const std::string& key) const {
    const YAML::Node found = node[key];
    if (!found) return wrong(node, fmt::format("'{}' is missing", key));
    BASCULE_ASSIGN(std::string text, scalar(found, fmt::format("'{}'", key)));
    if (text.empty()) return wrong(found, fmt::format("'{}' is empty", key));
    return text;
  }

  Result<std::int64_t> integer(const YAML::Node& node, std::string_view what, std::int64_t least,
                               std::int64_t most) const {
    BASCULE_ASSIGN(const std::string text, scalar(node, fmt::format("a value of '{}'", what)));
    const auto number = text::parse_int(text);
    if (number && *number >= least && *number <= most) return *number;
    return wrong(node, fmt::format("'{}' is '{}'; it must be a whole number from {} to {}", what,
                                   text::shortened(text), least, most));
  }

  std::string place(const YAML::Node& node) const {
    return fmt::format("{}:{}", file_, node.Mark().line + 1);
  }

  Error wrong(const YAML::Node& node, std::string_view what) const {
    return invalid_argument(fmt::format("{}: {}{}", place(node), what, what.ends_with('?') ? "" : "."));
  }

  Result<std::string> scalar(const YAML::Node& node, std::string_view what) const {
    if (!node.IsScalar()) return wrong(node, fmt::format("{} must be a single value", what));
    return node.Scalar();
  }

  const std::string& file_;
};

}  // namespace

Result<std::optional<EnsembleYaml>> read_ensemble_yaml(std::string_view yaml, const std::string& file_name) {
  try {
    return Reader(file_name).read(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& error) {
    return invalid_argument(fmt::format("{}:{}: this is not YAML that can be read: {}.", file_name,
                                        error.mark.line + 1, error.msg));
  }
}

}  // namespace bascule::config

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "base/result.h"

namespace bascule::config {

inline constexpr std::size_t kMaxYamlItems = 1024;  // of any list or map

// Reads values of one file, with errors that begin with its name and the line.
// Thread-safety: immutable.
class YamlFile {
 public:
  explicit YamlFile(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] std::string place(const YAML::Node& node) const;
  [[nodiscard]] Error wrong(const YAML::Node& node, std::string_view what) const;

  // A map, none of whose keys is there twice; of the keys only these, unless there are none.
  Result<void> map(const YAML::Node& node, std::string_view what,
                   const std::vector<std::string>& known) const;
  Result<YAML::Node> list(const YAML::Node& node, std::string_view what) const;
  Result<std::string> scalar(const YAML::Node& node, std::string_view what) const;
  Result<double> number(const YAML::Node& node, std::string_view what, double least, double most) const;
  Result<std::int64_t> integer(const YAML::Node& node, std::string_view what, std::int64_t least,
                               std::int64_t most) const;
  Result<bool> flag(const YAML::Node& node, std::string_view what) const;
  // "250 ms", "10s", "2 min", "1h", "7d", in milliseconds; at most a year.
  Result<std::int64_t> duration_ms(const YAML::Node& node, std::string_view what) const;
  [[nodiscard]] Error unknown(const YAML::Node& node, std::string_view key,
                              const std::vector<std::string>& known) const;

 private:
  const std::string name_;
};

}  // namespace bascule::config

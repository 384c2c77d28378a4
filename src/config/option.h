#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::config {

enum class Type { kText, kInteger, kNumber, kFlag, kChoice };

// One setting, said once: the flag, the YAML key, the environment variable, --help, the reference page and
// the JSON Schema are all made from it. Thread-safety: immutable.
struct Option {
  std::string name;  // "http_port": the YAML key; the flag is --http-port, the variable BASCULE_HTTP_PORT
  Type type = Type::kText;
  std::string fallback;  // the default as text; empty: none
  std::string text;      // one sentence
  std::string unit;      // "ms", "pixels", …; empty where there is none
  double min = 0;        // of kInteger and kNumber, both ends included
  double max = 0;
  std::vector<std::string> choices;  // of kChoice
  bool command_line_only = false;    // not in YAML or the environment (--config itself)
};

// Where a value came from; a later one wins.
enum class Origin { kDefault, kFile, kEnvironment, kFlag };
[[nodiscard]] std::string_view to_string(Origin origin);

// Checked values by option name.
// Thread-safety: immutable once read.
class Values {
 public:
  // Preconditions: the option exists, has the type, and has a value (a default counts).
  [[nodiscard]] const std::string& text(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  // True where a default, file, variable or flag gave a value.
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] Origin origin(std::string_view name) const;

  // Checks `value` against the option and keeps it unless a stronger origin already spoke. `where` names the
  // place for the error ("--http-port", "bascule.yaml:3: http_port"). Errors: kInvalidArgument with value,
  // range and unit.
  Result<void> set(const Option& option, std::string_view value, Origin origin, std::string_view where);

 private:
  struct Value {
    std::string text;
    Origin origin = Origin::kDefault;
  };
  std::map<std::string, Value, std::less<>> values_;
};

// "--http-port" and "BASCULE_HTTP_PORT".
[[nodiscard]] std::string flag_name(const Option& option);
[[nodiscard]] std::string variable_name(const Option& option);

// Puts every default in place.
Result<void> apply_defaults(std::span<const Option> options, Values& values);
// Reads BASCULE_… variables through `lookup` (null: unset). An empty variable counts as unset.
Result<void> apply_environment(std::span<const Option> options, const char* (*lookup)(const char*),
                               Values& values);

// One entry of the file's `models:` list.
struct ModelEntry {
  std::string path;
  std::string name;  // may be empty
};

// Reads a YAML file: keys are option names, plus `models:` (paths, or maps of `path` and `name`). Unknown and
// duplicate keys are errors with file, line and the nearest known key. `file_name` is for messages.
Result<std::vector<ModelEntry>> apply_yaml(std::span<const Option> options, std::string_view yaml,
                                           const std::string& file_name, Values& values);

// The reference page's table (Markdown) and the JSON Schema of the file.
[[nodiscard]] std::string reference_markdown(std::span<const Option> options);
[[nodiscard]] std::string json_schema(std::span<const Option> options);

}  // namespace bascule::config

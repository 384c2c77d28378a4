#pragma once

#include <cstddef>
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
  std::vector<std::string> choices;  // of kChoice; of kInteger the words that may stand for a number
  std::size_t max_items = 0;         // above 0: a list of so many at most; with commas outside of YAML
  bool command_line_only = false;    // not in YAML or the environment (--config itself)
  bool one_model_only = false;       // of a model's table: said of one model in YAML, never of all
};

// Who gave a value; a later one wins.
enum class Origin {
  kDefault,
  kFile,         // the top level of --config: of a model's setting, the default for all models
  kTuneFile,     // what `bascule tune` found for this model on this machine
  kModelConfig,  // config.pbtxt, beside the model
  kModelFile,    // model.yaml, beside the model
  kModelEntry,   // the model's entry in the `models:` list of --config
  kEnvironment,  // of a model's setting, for all models, as a flag
  kFlag,
  kOverride  // the configuration that a model was asked to be loaded with
};

// Where a value stands. Thread-safety: a value.
struct Source {
  Origin origin = Origin::kDefault;
  std::string place = "default";  // "--http-port", "BASCULE_HTTP_PORT", "bascule.yaml:3"
};

// Checked values by option name.
// Thread-safety: immutable once read.
class Values {
 public:
  // Preconditions: the option exists, has the type, and has a value (a default counts).
  [[nodiscard]] const std::string& text(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  // Nothing where one of the option's words stands in place of a number.
  [[nodiscard]] std::optional<std::int64_t> integer_or_word(std::string_view name) const;
  // Of a list; empty where it has no value.
  [[nodiscard]] std::vector<std::string> items(std::string_view name) const;
  // True where a default, file, variable or flag gave a value.
  [[nodiscard]] bool has(std::string_view name) const;
  // Where the value comes from; the default where there is none.
  [[nodiscard]] Source source(std::string_view name) const;

  // Checks `value` against the option and keeps it unless a stronger origin already spoke. Errors:
  // kInvalidArgument with place, value, range and unit.
  Result<void> set(const Option& option, std::string_view value, const Source& source);
  // Likewise for a list that stands item by item.
  Result<void> set_items(const Option& option, std::vector<std::string> items, const Source& source);
  // Keeps of each option the value of the stronger origin.
  void merge(const Values& other);

 private:
  struct Value {
    std::vector<std::string> items;  // one, of what is no list
    Source source;
  };
  void keep(const std::string& name, Value value);
  std::map<std::string, Value, std::less<>> values_;
};

// "--http-port" and "BASCULE_HTTP_PORT".
[[nodiscard]] std::string flag_name(const Option& option);
[[nodiscard]] std::string variable_name(const Option& option);
// "0 to 65535, or off", "text", …: what may be given, and its unit.
[[nodiscard]] std::string values_text(const Option& option);

// Puts every default in place.
Result<void> apply_defaults(std::span<const Option> options, Values& values);
// Reads BASCULE_… variables through `lookup` (null: unset). An empty variable counts as unset.
Result<void> apply_environment(std::span<const Option> options, const char* (*lookup)(const char*),
                               Values& values);

// The two tables: what is set once, and what each model may have its own value of.
// Thread-safety: immutable.
struct Tables {
  std::vector<Option> server;
  std::vector<Option> model;
};

// One entry of the file's `models:` list.
struct ModelEntry {
  std::string path;
  std::string name;  // may be empty
  Values values;     // of the model's table
};

// Reads the server's YAML file: keys are names of both tables, plus `models:` (paths, or maps of `path`,
// `name` and settings of the model's table). Unknown and duplicate keys are errors with file, line and the
// nearest known key. `file_name` is for messages.
Result<std::vector<ModelEntry>> apply_yaml(const Tables& tables, std::string_view yaml,
                                           const std::string& file_name, Values& values);
// Reads a model's own YAML file: keys are names of the model's table. Errors: as above.
Result<void> apply_model_yaml(std::span<const Option> options, std::string_view yaml,
                              const std::string& file_name, Values& values);
// Reads a YAML file that holds one list, `key:`, of maps whose keys are names of `options`. Errors: as above.
Result<std::vector<Values>> read_yaml_list(const std::string& key, std::span<const Option> options,
                                           std::string_view yaml, const std::string& file_name);

// The reference page's two tables (Markdown), and the JSON Schemas of the server's file and of a model's.
[[nodiscard]] std::string reference_markdown(const Tables& tables);
[[nodiscard]] std::string json_schema(const Tables& tables);
[[nodiscard]] std::string model_json_schema(const Tables& tables);

}  // namespace bascule::config

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace bascule::tasks {

struct PythonEntry;

// A value of Python's literal syntax, as exporters write dictionaries into a model file's metadata.
// Thread-safety: a value.
struct PythonValue {
  using List = std::vector<PythonValue>;  // of a list or a tuple
  using Dict = std::vector<PythonEntry>;  // in the order written; later entries win, as in Python
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Dict> value;

  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value); }
  [[nodiscard]] const List* list() const { return std::get_if<List>(&value); }
  [[nodiscard]] const Dict* dict() const { return std::get_if<Dict>(&value); }
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  // The entry of a dictionary with this text as its key; null where there is none, or for no dictionary.
  [[nodiscard]] const PythonValue* find(std::string_view key) const;
  // What Python's bool() says of it.
  [[nodiscard]] bool truthy() const;
};

struct PythonEntry {
  PythonValue key;
  PythonValue value;
};

// What a text from a model file may cost at most.
struct PythonLimits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t values = 100'000;
  int depth = 16;
};

// Reads dict, list, tuple, str, int, float, True, False and None (Python language reference, "Literals", and
// "Displays"); nothing is evaluated. No sets, bytes, prefixes, triple quotes or numbers beyond 64 bits.
// Errors: kInvalidArgument with the place of the first thing that is not understood, or the limit passed.
Result<PythonValue> parse_python_literal(std::string_view text, const PythonLimits& limits = {});

// Free key-value pairs as the text of one dict. A value that is a number, a list or the like in the words of
// the Ultralytics package, which reads it that way, stands as it is; every other one as a string. Empty where
// there are no pairs, or more than a reader takes.
[[nodiscard]] std::string write_python_dict(const std::map<std::string, std::string>& pairs);

}  // namespace bascule::tasks

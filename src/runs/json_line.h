#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::runs {

// What a line of JSON asks for.
// Thread-safety: a value.
struct JsonLine {
  std::string id;       // its `id`, as JSON; empty: it has none
  std::string picture;  // the path that it names; empty: it names none
  std::string row;      // else: the line without its `id`, or the value of its `row`
};

// Reads one line: {"id":…, "image":"a.jpg"}; "a.jpg" where the model takes pictures; a row as an object by
// column names, a list, or a single value. `keeps_id`: the model has a column of that name, so that it stays
// in the row, too. Errors: kInvalidArgument for what is no JSON, has nothing to ask, or an `id` that is
// neither text nor a number.
Result<JsonLine> read_json_line(std::string_view line, bool pictures, bool keeps_id);

}  // namespace bascule::runs

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {

inline constexpr std::size_t kMaxClasses = 1000;  // that a request may name

// One field of a call, however it came.
// Thread-safety: a value.
struct Field {
  std::string name;  // as the caller wrote it
  std::string value;
  std::string meaning = name;  // as the platform calls it
};

// Reads a JSON object's members as fields: texts, numbers, true and false; a list as its items with commas
// between them; null as if it were not there. `source` and `image` go into the call at once, for they may be
// as long as a picture. Errors: kInvalidArgument with the member.
Result<void> read_json_fields(std::string_view text, std::vector<Field>& fields, PredictCall& call);

}  // namespace bascule::protocol::ultralytics

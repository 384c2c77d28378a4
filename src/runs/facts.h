#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace bascule::runs {

// One thing that an answer says: an object of a picture, a class of it, or the label of a row.
// Thread-safety: a value.
struct Fact {
  std::string name;
  int class_id = -1;                                // -1: it has no number
  double confidence = -1;                           // below 0: it has none
  std::vector<std::array<double, 2>> outline = {};  // corners in pixels of the picture; a box has four
};

// What the members of a picture's answer say, as Asker gives them.
// Thread-safety: a value.
struct PictureFacts {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<Fact> objects;
  std::string_view results;  // as JSON, within the answer
};
// Errors: kInternal where the answer has another form.
Result<PictureFacts> picture_facts(std::string_view answer);

// The values of a row's answer by name, those within objects and lists as "a.b" and "a.0"; as CSV has them.
using Values = std::vector<std::pair<std::string, std::string>>;
// Errors: as above.
Result<Values> row_values(std::string_view answer);
// What is said of a row: its label and how sure it is, or its value.
[[nodiscard]] Fact row_fact(const Values& values);

}  // namespace bascule::runs

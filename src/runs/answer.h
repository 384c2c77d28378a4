#pragma once

#include <optional>
#include <vector>

#include "runs/asker.h"
#include "runs/item.h"

namespace bascule::runs {

// Thread-safety: a value.
struct AnswerOptions {
  bool pictures = true;   // what the model takes; else rows
  bool keeps_id = false;  // a column of the model is called `id`
};

// What is said of a unit's inputs, one by one, or why no input can be answered at all.
// Thread-safety: a value.
struct Answered {
  std::vector<Outcome> outcomes;  // in their order; none where there is `fatal`
  std::optional<Error> fatal = {};
};

// Asks for each input of the unit. Where a run of rows is refused, its halves are asked, so that the bad rows
// are found and the others answered. What comes out depends on the unit alone.
[[nodiscard]] Answered answer(Asker& asker, const Unit& unit, const AnswerOptions& options);

}  // namespace bascule::runs

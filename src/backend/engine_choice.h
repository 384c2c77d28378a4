#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace bascule::backend {

// Several engines as one, the preferred first. A file is loaded by the engine that the options name, else by
// the first that takes such files and can; where another could not, the spec's notes say why. A precision
// other than f32 is asked of each in turn. `name()` is the first one's.
// Errors of load: those of the engine that was named; else, where all failed, what the first of them said;
// kInvalidArgument where no engine of that name takes such files.
std::unique_ptr<Backend> choose_among(std::vector<std::unique_ptr<Backend>> engines);

}  // namespace bascule::backend

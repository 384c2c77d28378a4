#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::app {

// Runs another program to its end, without a shell; it prints where this one prints, and reads nothing.
// `words`: the program, looked up in PATH where it has no '/', and its arguments. `variables`: "NAME=value",
// besides this process's own. Errors: kNotFound where there is no such program; kFailedPrecondition where it
// ends with another code than 0, or by a signal.
Result<void> run_program(const std::vector<std::string>& words,
                         const std::vector<std::string>& variables = {});

}  // namespace bascule::app

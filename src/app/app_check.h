#pragma once

#include <string>

#include "config/option.h"

namespace bascule::app {

// `bascule app check FILE`: reads a file of applications, compiles their rules and prints what would be run.
// With
// --replay the pictures of a folder are shown to each, and what would fire is printed frame by frame.
// Gives the exit code.
int app_check(const config::Values& values, const std::string& path);

}  // namespace bascule::app

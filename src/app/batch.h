#pragma once

#include "config/command_line.h"

namespace bascule::app {

// `bascule batch` with its options.
[[nodiscard]] config::Command batch_command();

}  // namespace bascule::app

#pragma once

#include "base/log.h"

// How much is logged while the process runs; apart from log.h, since only who administers it may change that.
namespace bascule::log {

// Thread-safety: thread-safe; other threads see a change with their next line.
[[nodiscard]] Level level();
void set_level(Level level);

}  // namespace bascule::log

#pragma once

#include "applications/source.h"
#include "base/clock.h"

namespace bascule::applications {

// Between two questions whether to stop.
inline constexpr Duration kStopLook = std::chrono::milliseconds(50);

// Waits so long; false where `stop` held before it was over.
bool pause(Duration wanted, const Clock& clock, const Stop& stop);

// The error of who was told to stop.
[[nodiscard]] Error stopped();

}  // namespace bascule::applications

#pragma once

#include "applications/packing.h"
#include "applications/rule_policy.h"
#include "tasks/vision/tracker.h"

namespace bascule::applications {

// What a judge keeps from frame to frame, as bytes and back.
void pack(Packer& out, const tasks::vision::TrackerState& state);
[[nodiscard]] tasks::vision::TrackerState unpack_tracker(Unpacker& in);
void pack(Packer& out, const PolicyMemory& memory);
[[nodiscard]] PolicyMemory unpack_policy(Unpacker& in);

}  // namespace bascule::applications

#pragma once

#include <filesystem>

#include "backend/backend.h"
#include "base/result.h"
#include "content/sequence.h"

namespace bascule::catalog {

// Makes what the states of a sequence are at its first step: SequenceState::initial, of one row. `spec`: what
// the model takes, its states included (configure has checked that they are there). `batch`: whether dims
// have no batch dimension. `folder`: where their files lie. Errors: kInvalidArgument for a file that leaves
// the folder or has another number of bytes than the state; kNotFound; kPayloadTooLarge beyond
// `max_state_bytes`.
Result<void> make_initial_states(const backend::ModelSpec& spec, bool batch,
                                 const std::filesystem::path& folder, content::SequenceBatching& sequences);

}  // namespace bascule::catalog

#pragma once

#include <cstdint>

namespace bascule::catalog {

// Bugs of the lifecycle that tests/sim seeds one by one, to show that it would find them. Nothing else sets
// one: no option of the server leads here.
enum class Sabotage : std::uint8_t {
  kNone,
  kUnloadBeforeLoaded,     // a reload takes the old one away before the new one is loaded
  kKeepOld,                // a reload leaves the old one in place
  kFailureUnloads,         // a load that fails takes the running one away
  kDropWaiting,            // a reload loses what waits for the old one
  kForgetToWake,           // a request that came while its model was loading is not told
  kForgetDeadline,         // one whose time is over while its model is loaded goes on waiting
  kLoadAnyway,             // memory that is still in use counts as freed
  kNeverEvict,             // nothing makes room
  kUseBringsBackUnloaded,  // a request loads what was unloaded on request
  kFreeAnywhere,           // whoever lets go last frees the model
  kNeverFree,              // nobody does
};
inline constexpr Sabotage kLastSabotage = Sabotage::kNeverFree;

}  // namespace bascule::catalog

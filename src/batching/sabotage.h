#pragma once

#include <cstdint>

namespace bascule::batching {

// Bugs that tests/sim seeds one by one, to show that it would find them. Nothing else sets one: no option of
// the server leads here.
enum class Sabotage : std::uint8_t {
  kNone,
  kLoseWakeUpOnArrival,
  kLoseWakeUpAfterRun,
  kForgetLeftOver,
  kWaitWhileIdle,
  kRunExpired,
  kNeverExpire,
  kRunCancelled,
  kJoinAnything,
  kExceedBatch,
  kExceedInstances,
  kExceedQueue,
  kDropOnFullExecutor,
  kSwapAnswers,
  kAnswerTwice,
  kForgetAnswer,
  kIgnorePriority,
  kBreakOrder,
  kIgnoreCost,
  kAnswerPadding,
};
inline constexpr Sabotage kLastSabotage = Sabotage::kAnswerPadding;

}  // namespace bascule::batching

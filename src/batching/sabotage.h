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
  kIgnoreDefaultTimeout,
};
inline constexpr Sabotage kLastSabotage = Sabotage::kIgnoreDefaultTimeout;

}  // namespace bascule::batching

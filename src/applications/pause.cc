#include "applications/pause.h"

#include <algorithm>

#include "base/mutex.h"

namespace bascule::applications {

bool pause(Duration wanted, const Clock& clock, const Stop& stop) {
  const TimePoint end = clock.now() + wanted;
  Mutex mutex;
  ConditionVariable never;
  while (!stop()) {
    const Duration left = end - clock.now();
    if (left <= Duration{}) return true;
    MutexLock lock(mutex);
    never.wait_for(mutex, std::min(left, kStopLook), [] { return false; });
  }
  return false;
}

Error stopped() { return {.code = Code::kCancelled, .message = "The application was told to stop."}; }

}  // namespace bascule::applications

#pragma once

#include <functional>

#include "applications/event.h"
#include "base/result.h"

namespace bascule::applications {

// Where events go. Two calls are never made at the same time.
// Thread-safety: external (one thread at a time).
class Sink {
 public:
  virtual ~Sink() = default;

  // Waits until the receiver has the event. `stop` is asked now and then whether to give up. An event may be
  // given again that was taken before: at least once is the promise.
  // Errors: kInvalidArgument where the receiver will never take this event, which is then moved aside; every
  // other one is worth another try, after `fields.retry_after` where the receiver asks for that.
  virtual Result<void> deliver(const Event& event, const std::function<bool()>& stop) = 0;

  // Called every few seconds while there is nothing to deliver: keeps a connection alive. Returns soon.
  virtual void idle() {}
};

}  // namespace bascule::applications

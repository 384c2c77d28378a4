#include "http/connection_count.h"

namespace bascule::http {

bool ConnectionCount::try_add() {
  MutexLock lock(mutex_);
  if (open_ >= limit_) return false;
  ++open_;
  return true;
}

void ConnectionCount::remove() {
  MutexLock lock(mutex_);
  if (--open_ == 0) none_.notify_all();
}

bool ConnectionCount::wait_for_none(Duration most) {
  MutexLock lock(mutex_);
  return none_.wait_for(mutex_, most, [this]() BASCULE_REQUIRES(mutex_) { return open_ == 0; });
}

}  // namespace bascule::http

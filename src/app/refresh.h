#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace bascule::app {

// A file, or several that belong together, and what to do when one of them is another than before.
// Thread-safety: a value.
struct Refreshed {
  std::vector<std::string> files;
  std::function<void()> load;  // called on the thread of the Refresh
};

// Looks at small files now and then, and has them read again when they have changed: once two looks, one
// after the other, saw the same, so that no file is read while it is written. Thread-safety: external (one
// thread makes and destroys it).
class Refresh {
 public:
  // Without `all` there is nothing to do, and no thread.
  Refresh(std::vector<Refreshed> all, Duration every);
  ~Refresh();
  Refresh(const Refresh&) = delete;
  Refresh& operator=(const Refresh&) = delete;

 private:
  // What tells a file from another: device, inode, size and time of change.
  using Look = std::vector<std::uint64_t>;
  struct Watched {
    Refreshed what;
    Look loaded;
    Look last;
  };
  static Look look(const std::vector<std::string>& files);
  void run();

  const Duration every_;
  std::vector<Watched> watched_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool ended_ BASCULE_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace bascule::app

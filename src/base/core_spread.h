#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.h"

namespace bascule {

// Keeps threads that compute off each other's cores. Linux weighs a core by the priority of what runs there:
// two threads that give way to all others (executor.cc) weigh next to nothing together, and may share a core
// for long while another has only what gives way to them in turn, such as a model that is loaded.
// Thread-safety: thread-safe.
class CoreSpread {
 public:
  // `threads`: how many there are; they are numbered from 0.
  explicit CoreSpread(std::size_t threads);

  // The calling thread begins to compute. Where another that computes is on its core it moves to one that
  // has none, if it may run on such a one; it is bound to none.
  void begin(std::size_t thread);
  void end(std::size_t thread);

 private:
  struct Place {
    bool computes = false;
    int began = -1;                          // the core that it began on
    const std::uint32_t* current = nullptr;  // where the system writes which one it is on now, or null
  };
  [[nodiscard]] static int core_of(const Place& place);
  [[nodiscard]] bool taken(int core, std::size_t but) const BASCULE_REQUIRES(mutex_);
  // Where it is to go.
  [[nodiscard]] std::optional<int> better(std::size_t thread) const BASCULE_REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<Place> places_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule

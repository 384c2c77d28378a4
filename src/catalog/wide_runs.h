#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace bascule::catalog {

// For a model that is asked by one client after the other: the same model once more, loaded when it is first
// of use, whose runs several threads compute. Whether that is faster is tried with the first such runs, by
// turns with usual ones; where it is not, as for some models, it is freed again.
// Thread-safety: thread-safe.
class WideRuns {
 public:
  // How often each of the two ways is tried; the shortest of them counts.
  static constexpr std::size_t kTrials = 4;
  // What a wide run may take of a usual one, at most: it keeps all the cores busy.
  static constexpr double kWorthIt = 0.9;
  using Model = std::shared_ptr<const backend::Executable>;
  // The model with so many threads, or null where it cannot be had.
  using Load = std::move_only_function<Model()>;

  WideRuns(std::size_t threads, Load load) : threads_(threads), load_(std::move(load)) {}

  [[nodiscard]] std::size_t threads() const { return threads_; }
  // True once: `load` is now to be called, on a thread that has time.
  [[nodiscard]] bool wanted() const { return !begun_.exchange(true); }
  void load() const;

  // What computes the next run beside which nothing else runs: `usual`, or the wide one. What it took is told
  // to `took`.
  [[nodiscard]] Model choose(const Model& usual) const;
  void took(bool wide, Duration time) const;

 private:
  struct Trial {
    std::size_t runs = 0;
    Duration shortest = Duration::max();
  };
  struct State {
    Model model;  // null: not loaded yet, or not any more
    Trial usual;
    Trial wide;
  };

  const std::size_t threads_;
  mutable Load load_;  // used once
  mutable std::atomic<bool> begun_ = false;
  mutable Guarded<State> state_;
};

}  // namespace bascule::catalog

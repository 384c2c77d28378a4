#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/timer.h"
#include "catalog/manager.h"
#include "catalog/sabotage.h"

namespace bascule::serving {

// Where requests wait while the model that they are for is loaded. It holds no thread: they are called back
// by the loader, or by the timer when their time is over.
// Thread-safety: thread-safe.
class Parking : public std::enable_shared_from_this<Parking> {
 public:
  // Called once: when the loader is done with the model, whatever came of it; else with why it waits no more.
  using Go = std::move_only_function<void(Result<void>)>;

  // All outlive it, except that timer and loader may have been stopped. `most`: requests that may wait for
  // one model; 0: no limit.
  Parking(catalog::Manager& manager, Timer& timer, const Clock& clock, std::size_t most,
          catalog::Sabotage sabotage = catalog::Sabotage::kNone)
      : manager_(manager), timer_(timer), clock_(clock), most_(most), sabotage_(sabotage) {}
  // Refuses those who still wait.
  ~Parking();
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  // Asks for the model to be loaded, and waits. Errors: kDeadlineExceeded, kResourceExhausted with
  // kQueueFull, those of Manager::want.
  void wait(const std::string& model, std::optional<TimePoint> deadline, Go go);

 private:
  struct Model {
    std::map<std::uint64_t, Go> waiting;  // in the order of arrival
  };
  struct Lot {
    std::uint64_t next = 0;
    std::map<std::string, Model> models;  // those that are waited for
  };

  void wake(const std::string& model, const Result<void>& result);
  void expire(const std::string& model, std::uint64_t ticket, TimePoint since);
  [[nodiscard]] Error full(const std::string& model) const;

  catalog::Manager& manager_;
  Timer& timer_;
  const Clock& clock_;
  const std::size_t most_;
  const catalog::Sabotage sabotage_;
  Guarded<Lot> lot_;
};

}  // namespace bascule::serving

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "applications/checkout/till.h"
#include "applications/event_hub.h"
#include "applications/runner.h"
#include "applications/sources/push_source.h"
#include "base/mutex.h"
#include "base/result.h"

namespace bascule::applications {

// One application as the service knows it.
// Thread-safety: external (one owner).
struct Application {
  std::string name;
  std::shared_ptr<EventHub> events;
  std::shared_ptr<PushBox> box;                    // where frames are pushed to; null: it takes none
  std::unique_ptr<Runner> runner;                  // goes before what its parts refer to
  std::shared_ptr<checkout::Till> till = nullptr;  // null: it is none
  // Members that the description has beside the runner's, as `"rules":[…],"sinks":[…]`; may be null.
  std::function<std::string()> more = nullptr;
};

// The applications of this process, for whoever shows and steers them.
// Thread-safety: thread-safe.
class ApplicationService {
 public:
  // Their names differ.
  explicit ApplicationService(std::vector<Application> applications) : all_(std::move(applications)) {}

  // In the order of the configuration.
  [[nodiscard]] std::vector<RunnerState> states() const;

  // As JSON: {"applications":[…]}, and one of them with its last scene.
  [[nodiscard]] std::string list() const;
  // Errors of these: kNotFound for a name that is none.
  Result<std::string> describe(std::string_view name) const;
  Result<std::vector<std::byte>> last_picture(std::string_view name) const;
  // The last events, the newest last: {"events":[…]}.
  Result<std::string> events(std::string_view name) const;
  Result<std::shared_ptr<EventHub>> hub(std::string_view name) const;
  // Gives the frame's number. Errors: of PushBox::push; kFailedPrecondition where it takes no frames so.
  Result<std::uint64_t> push(std::string_view name, content::EncodedPicture picture, std::int64_t time_ms);
  // Errors: also kFailedPrecondition where it is no till.
  Result<std::shared_ptr<checkout::Till>> till(std::string_view name) const;
  // Errors: of Runner::start; kUnavailable after stop_all.
  Result<void> start(std::string_view name);
  // Returns at once; the state tells when it has stopped.
  Result<void> stop(std::string_view name);

  // All of them; starting tells in the log what could not be. Stopping waits, and is for good.
  void start_all();
  void stop_all();

 private:
  Result<const Application*> find(std::string_view name) const;

  const std::vector<Application> all_;
  Mutex starting_;
  bool over_ BASCULE_GUARDED_BY(starting_) = false;
};

}  // namespace bascule::applications

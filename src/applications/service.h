#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "applications/checkout/till.h"
#include "applications/delivery.h"
#include "applications/event_hub.h"
#include "applications/judge.h"
#include "applications/runner.h"
#include "applications/sources/push_source.h"
#include "base/mutex.h"
#include "base/result.h"
#include "journal/tally.h"

namespace bascule::applications {

// How an application does, with its parts.
// Thread-safety: a value.
struct ApplicationState {
  RunnerState runner;
  std::vector<RuleState> rules;  // in the order of the configuration
  std::vector<SinkState> sinks;  // likewise
};

// One application as the service knows it.
// Thread-safety: external (one owner).
struct Application {
  std::string name;
  std::shared_ptr<EventHub> events;
  std::shared_ptr<PushBox> box;                    // where frames are pushed to; null: it takes none
  std::unique_ptr<Runner> runner;                  // goes before what its parts refer to
  std::shared_ptr<checkout::Till> till = nullptr;  // null: it is none
  // How its parts do; leaves the runner's state alone. May be null.
  std::function<void(ApplicationState& state)> parts = nullptr;
  // Sends again what its receivers had refused: how many events; null: it sends nothing.
  std::function<Result<std::size_t>()> send_again = nullptr;
  // What it counted on each of the last so many days; null: nothing.
  std::function<Result<std::vector<journal::Tally>>(std::size_t most)> days = nullptr;
};

// The applications of this process, for whoever shows and steers them.
// Thread-safety: thread-safe.
class ApplicationService {
 public:
  static constexpr unsigned kMostDays = journal::kMostDays;  // that days() tells of

  // Their names differ.
  explicit ApplicationService(std::vector<Application> applications) : all_(std::move(applications)) {}

  // In the order of the configuration. Waits for the disk.
  [[nodiscard]] std::vector<ApplicationState> states() const;

  // As JSON: {"applications":[…]}, and one of them with its last scene, which waits for the disk.
  [[nodiscard]] std::string list() const;
  // Errors of these: kNotFound for a name that is none.
  Result<std::string> describe(std::string_view name) const;
  Result<std::vector<std::byte>> last_picture(std::string_view name) const;
  // The last events, the newest last: {"events":[…]}.
  Result<std::string> events(std::string_view name) const;
  Result<std::shared_ptr<EventHub>> hub(std::string_view name) const;
  // The counts of the last so many days, as days_json or days_csv; waits for the disk. Errors: also of
  // Outbox::tallies.
  Result<std::string> days(std::string_view name, std::size_t most, bool csv) const;
  // Gives the frame's number. Errors: of PushBox::push; kFailedPrecondition where it takes no frames so.
  Result<std::uint64_t> push(std::string_view name, content::EncodedPicture picture, std::int64_t time_ms);
  // Errors: also kFailedPrecondition where it is no till.
  Result<std::shared_ptr<checkout::Till>> till(std::string_view name) const;
  // How many events there are that receivers refused, and that go out again. Waits for the disk. Errors: also
  // of Delivery::send_again.
  Result<std::size_t> send_again(std::string_view name) const;
  // Errors: of Runner::start; kUnavailable after stop_all.
  Result<void> start(std::string_view name);
  // Returns at once; the state tells when it has stopped.
  Result<void> stop(std::string_view name);

  // All of them; starting tells in the log what could not be. Stopping waits, and is for good.
  void start_all();
  void stop_all();

 private:
  Result<const Application*> find(std::string_view name) const;
  static ApplicationState state_of(const Application& one);

  const std::vector<Application> all_;
  Mutex starting_;
  bool over_ BASCULE_GUARDED_BY(starting_) = false;
};

}  // namespace bascule::applications

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "applications/delivery.h"
#include "applications/event.h"
#include "applications/frame.h"
#include "applications/frame_slot.h"
#include "applications/source.h"
#include "base/back_off.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "content/prediction.h"

namespace bascule::applications {

enum class RunnerStatus : std::uint8_t {
  kStopped,
  kStarting,  // no frame has come yet
  kRunning,
  kWaiting,  // the source is down, or what was found cannot be kept now
  kStuck,    // one frame takes too long
  kStopping,
  kEnded,   // the source has no more
  kFailed,  // it could not be started
};
[[nodiscard]] std::string_view to_string(RunnerStatus status);

// What a model found on a frame.
// Thread-safety: a value.
struct Inferred {
  content::Detections found;
  content::ClassNames names;
};

// What became of a frame.
// Thread-safety: a value.
struct Decision {
  std::vector<Addressed> events;             // without pictures, and where they go
  std::shared_ptr<const std::string> scene;  // what rules saw, as JSON; may be null
  content::Detections shown;                 // what is drawn on the picture
};

// What an application is made of. The functions are called by the runner's own threads, one at a time.
// Thread-safety: a value.
struct RunnerParts {
  // The frame that was handled last, so that a source goes on behind it; 0: none.
  std::function<Result<std::uint64_t>()> position;
  // Opens the source behind that frame.
  std::function<Result<std::unique_ptr<Source>>(std::uint64_t after)> open;
  // Shows a frame to the model, and waits. Not asked for frames that bring their boxes.
  std::function<Result<Inferred>(const Frame& frame, const Stop& stop)> infer;
  // How classes are called on frames that bring their boxes; may be null.
  std::function<content::ClassNames()> names = nullptr;
  // Decides.
  std::function<Result<Decision>(const Frame& frame, const content::Detections& found,
                                 const content::ClassNames& names)>
      judge;
  // Keeps the events, and that their frame was handled. Once it returns they are safe.
  std::function<Result<void>(const Frame& frame, const std::vector<Addressed>& events)> keep;
};

struct RunnerOptions {
  std::string app;
  std::optional<bool> latest;  // as Source::live; nothing: as the source says
  double max_fps = 0;          // frames beyond this are dropped, or wait where the source does; 0: no limit
  bool pictures = false;       // events get an annotated picture
  std::uint64_t max_pixels = 100'000'000;
  Duration stuck_after = std::chrono::seconds(10);  // of one frame
  BackOffOptions back_off;                          // before a frame is shown again, or its events kept again
};

// How an application does.
// Thread-safety: a value.
struct RunnerState {
  std::string app;
  RunnerStatus status = RunnerStatus::kStopped;
  std::string error;  // of the last failure; empty: none yet
  SourceState source;
  std::uint64_t handled = 0;  // frames that were shown, judged and kept
  std::uint64_t dropped = 0;  // frames that a later one took the place of, by the source and here
  std::uint64_t failed = 0;   // frames that the model or the rules could do nothing with
  std::uint64_t retries = 0;  // tries to keep events after the first
  std::uint64_t events = 0;
  std::uint64_t last_frame = 0;  // its number
  std::int64_t last_frame_ms = 0;
  Duration inference{};  // of all handled frames
  Duration judging{};
  Duration last_latency{};  // from the frame's coming to its events' being kept
};

// Runs one application: a thread reads its source, another shows each frame to the model, judges it, and has
// the events kept. Between them is one frame; a live source's newer one takes the place of an older. Nothing
// that fails ends it: the source is opened again, a frame that cannot be shown is passed over and counted,
// and events are held until they are kept, with whatever comes behind them. Thread-safety: thread-safe.
class Runner {
 public:
  // Told of events once they are kept. `clock` outlives it.
  using Publish = std::function<void(const Event& event)>;
  Runner(RunnerOptions options, RunnerParts parts, Publish publish, const Clock& clock);
  // Stops, and waits for both threads.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Errors: kFailedPrecondition where it runs, or is still stopping.
  Result<void> start();
  // Asks it to stop; returns at once.
  void stop() { stop_ = true; }
  // Waits until both threads have ended.
  void wait();

  [[nodiscard]] RunnerState state() const;
  // What the last handled frame showed, as JSON; null: none yet.
  [[nodiscard]] std::shared_ptr<const std::string> scene() const;
  // The last handled frame as JPEG, with what was found drawn on it. Made when asked for. Errors: kNotFound
  // before the first frame; of image::annotate.
  [[nodiscard]] Result<std::vector<std::byte>> last_picture() const;

 private:
  struct Shown {
    content::EncodedPicture picture;
    content::Detections found;
    content::ClassNames names;
    std::shared_ptr<const std::string> scene;
  };
  struct Counts {
    RunnerState state;              // without the source
    std::optional<TimePoint> busy;  // since when one frame is handled
    bool held = false;              // events cannot be kept
    bool failed = false;            // to start
    bool ended = false;
  };

  void read();
  bool in_time(TimePoint& due, bool latest);
  Result<std::unique_ptr<Source>> open_source();
  void look();
  void handle(Frame frame);
  Result<Inferred> show(Frame& frame);
  bool keep(const Frame& frame, const std::vector<Addressed>& events);
  void add_pictures(const Shown& shown, std::vector<Addressed>& events) const;
  void pass_over(const Frame& frame, const Error& error);
  void note(const Error& error);

  const RunnerOptions options_;
  const RunnerParts parts_;
  const Publish publish_;
  const Clock& clock_;
  std::atomic<bool> stop_ = true;
  std::atomic<int> running_ = 0;  // threads
  const Stop stopping_;
  Guarded<std::shared_ptr<FrameSlot>> slot_;
  Guarded<std::shared_ptr<Source>> source_;
  Guarded<SourceState> last_source_;  // of the last run
  Guarded<Counts> counts_;
  Guarded<std::shared_ptr<const Shown>> shown_;
  Mutex starting_;
  std::unique_ptr<ThreadPool> threads_ BASCULE_GUARDED_BY(starting_);
};

}  // namespace bascule::applications

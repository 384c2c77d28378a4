#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "applications/event.h"
#include "applications/frame.h"
#include "applications/geometry.h"
#include "applications/rule_policy.h"
#include "applications/scene.h"
#include "base/clock.h"
#include "base/result.h"
#include "content/prediction.h"
#include "tasks/vision/tracker.h"

namespace bascule::applications {

// One rule as it was configured.
// Thread-safety: a value.
struct RuleOptions {
  std::string name;
  std::string
      when;  // a jq program over scene_json; it holds where one of its outputs is neither false nor null
  std::string place;  // "line-3.yaml:12", for messages
  RulePolicy policy;
  std::string severity = "alert";
  std::vector<std::string> sinks;  // that its events go to; empty: all
};

// How sure a model must be.
// Thread-safety: a value.
struct ConfidenceOptions {
  double fallback = 0.25;
  std::map<std::string, double> of_class;  // by name

  [[nodiscard]] double of(const std::string& name) const {
    const auto found = of_class.find(name);
    return found == of_class.end() ? fallback : found->second;
  }
};

// What an application makes of boxes.
// Thread-safety: a value.
struct JudgeOptions {
  std::string app;
  Polygon region;  // boxes whose centre is outside are dropped; without corners: the whole frame
  std::vector<Polygon> zones;
  std::vector<Line> lines;  // they need tracking
  ConfidenceOptions confidence;
  bool track = false;
  double weak_confidence = 0.1;  // boxes from here on help to follow an object, though they do not count
  tasks::vision::TrackerOptions tracker;
  std::size_t window = 30;  // frames in app_state.window; 1 to 1,000
  std::vector<RuleOptions> rules;
  Duration rule_limit = std::chrono::seconds(1);  // a rule that takes longer is ended and reported
};

// How a rule does.
// Thread-safety: a value.
struct RuleState {
  std::string rule;
  std::string value;  // the last one, as JSON; shortened; empty: none yet
  bool holds = false;
  bool stuck = false;  // its last run took longer than the limit
  std::uint64_t runs = 0;
  std::uint64_t events = 0;
  std::uint64_t failures = 0;  // at run time
  std::uint64_t overruns = 0;  // longer than the limit
  Duration last{};
  Duration longest{};
  Duration total{};   // of all runs
  std::string error;  // the last failure's words
};

// How an application does, for its API and metrics.
// Thread-safety: a value.
struct JudgeState {
  std::uint64_t frames = 0;
  std::uint64_t objects = 0;  // that counted, in all frames
  std::uint64_t crossings = 0;
  std::uint64_t events = 0;
  std::uint64_t tracks = 0;      // begun so far
  bool stuck = false;            // a rule is
  std::string counts = "{}";     // app_state.counts, as JSON
  std::vector<RuleState> rules;  // in the order of the configuration
};

// An event, and where it goes.
// Thread-safety: a value.
struct Decided {
  Event event;                     // without a picture
  std::vector<std::string> sinks;  // by name; empty: all
  bool failed = false;             // it tells that its rule failed
};

// What came of one frame.
// Thread-safety: a value.
struct Judged {
  Scene scene;
  std::shared_ptr<const std::string> json;  // what the rules saw
  std::vector<Decided> decided;
  std::map<std::string, std::uint64_t> new_objects;  // by class: those that app_state.counts gained
};

// Everything between a model's boxes and a decided event. The same frames and boxes in the same order give
// the same scenes and events, unless a rule takes longer than its limit or asks jq for the time.
// Thread-safety: judge() external (one thread at a time); state() thread-safe.
class Judge {
 public:
  // Compiles the rules. Errors: kInvalidArgument for a rule that does not compile, with its place, its text
  // and jq's words; for lines without tracking.
  static Result<std::unique_ptr<Judge>> make(JudgeOptions options);
  struct Parts;
  explicit Judge(std::unique_ptr<Parts> parts);  // for make()
  ~Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  // The threshold to ask the model with: below it no box is of use.
  [[nodiscard]] double lowest_confidence() const;

  // `found`: boxes in pixels of the whole frame. Errors: kInvalidArgument where the frame has no size.
  Result<Judged> judge(const Frame& frame, const content::Detections& found,
                       const content::ClassNames& names);

  [[nodiscard]] JudgeState state() const;

  // All that it keeps from one frame to the next, but for the counters of state(). A judge of the same
  // options that is given it goes on as if it had judged the frames before: kept together with a source's
  // position, it makes a run that was killed end like one that was not. Errors of restore():
  // kFailedPrecondition for bytes of another version, or damaged ones; nothing is changed then.
  [[nodiscard]] std::string save() const;
  Result<void> restore(std::string_view bytes);

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace bascule::applications

#include "applications/judge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "applications/app_state.h"
#include "applications/judge_memory.h"
#include "applications/packing.h"
#include "applications/paths.h"
#include "applications/rule.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/text.h"

namespace bascule::applications {
namespace {

constexpr std::size_t kMostWindow = 1000;
constexpr std::size_t kShownValue = 1000;  // characters of a rule's last value, for its state
// A rule that fails tells so at once, and then no more often than this.
constexpr RulePolicy kFailures{.needed = 1, .of = 1, .cooldown_ms = 60'000};
// Behind a rule's name, for the id of the event that tells of its failure; no name has it.
constexpr std::string_view kFailed = "\nfailed";

constexpr int kMemoryVersion = 1;

bool is_usable(const content::Box& box) {
  return std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) && std::isfinite(box.y2);
}

// A row with all that is said of it.
void copy_row(const content::Detections& from, std::size_t row, content::Detections& to) {
  to.rows.push_back(from.rows[row]);
  if (!from.corners.empty()) to.corners.push_back(from.corners[row]);
  if (!from.keypoints.empty()) to.keypoints.push_back(from.keypoints[row]);
  if (!from.outlines.empty()) to.outlines.push_back(from.outlines[row]);
}

// One rule with what it remembers.
struct RunningRule {
  RuleOptions options;
  std::unique_ptr<Rule> rule;
  PolicyMemory memory;
  PolicyMemory failures;
};

}  // namespace

struct Judge::Parts {
  explicit Parts(JudgeOptions from)
      : options(std::move(from)), tracker(options.tracker), paths(options.lines), app_state(options.window) {}

  void look(const content::Detections& found, const content::ClassNames& names, std::uint64_t frame,
            Judged& judged);
  [[nodiscard]] SceneObject object_of(const content::Detection& row, const std::string& name,
                                      content::PictureSize picture) const;
  void decide(Judged& judged);
  void take_outcome(RunningRule& rule, const RuleOutcome& outcome, const Judged& judged, RuleState& state,
                    std::vector<Decided>& decided);
  [[nodiscard]] Decided event_of(const RunningRule& rule, const Scene& scene,
                                 const RuleOutcome& outcome) const;

  const JudgeOptions options;
  tasks::vision::Tracker tracker;
  Paths paths;
  AppState app_state;
  std::vector<RunningRule> rules;
  Guarded<JudgeState> state;
};

Judge::Judge(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Judge::~Judge() = default;

Result<std::unique_ptr<Judge>> Judge::make(JudgeOptions options) {
  if (!options.lines.empty() && !options.track) {
    return invalid_argument(fmt::format(
        "The application '{}' has lines, but follows no objects: say 'track: true'.", options.app));
  }
  options.window = std::clamp<std::size_t>(options.window, 1, kMostWindow);
  auto parts = std::make_unique<Parts>(std::move(options));
  JudgeState state;
  for (const RuleOptions& rule : parts->options.rules) {
    BASCULE_ASSIGN(auto compiled, Rule::compile(rule.name, rule.place, rule.when));
    parts->rules.push_back({.options = rule, .rule = std::move(compiled)});
    state.rules.push_back({.rule = rule.name});
  }
  parts->state.with([&](JudgeState& shown) { shown = std::move(state); });
  return std::make_unique<Judge>(std::move(parts));
}

double Judge::lowest_confidence() const {
  double lowest = parts_->options.confidence.fallback;
  for (const auto& [name, least] : parts_->options.confidence.of_class) lowest = std::min(lowest, least);
  return parts_->options.track ? std::min(lowest, parts_->options.weak_confidence) : lowest;
}

JudgeState Judge::state() const {
  return parts_->state.with([](const JudgeState& state) { return state; });
}

Result<Judged> Judge::judge(const Frame& frame, const content::Detections& found,
                            const content::ClassNames& names) {
  if (found.picture.width <= 0 || found.picture.height <= 0) {
    return invalid_argument(fmt::format("The frame {} of '{}' has no size.", frame.number, frame.source));
  }
  Judged judged;
  Scene& scene = judged.scene;
  scene.app = parts_->options.app;
  scene.source = frame.source;
  scene.frame = frame.number;
  scene.time_ms = frame.time_ms;
  parts_->look(found, names, frame.number, judged);
  judged.json = std::make_shared<const std::string>(scene_json(scene, parts_->app_state));
  parts_->decide(judged);
  return judged;
}

std::string Judge::save() const {
  Packer out;
  out.number(kMemoryVersion);
  pack(out, parts_->tracker.state());
  parts_->paths.pack(out);
  parts_->app_state.pack(out);
  out.number(parts_->rules.size());
  for (const RunningRule& rule : parts_->rules) {
    out.text(rule.options.name);
    pack(out, rule.memory);
    pack(out, rule.failures);
  }
  return out.take();
}

Result<void> Judge::restore(std::string_view bytes) {
  Unpacker in(bytes);
  const int version = in.number<int>();
  tasks::vision::TrackerState tracks = unpack_tracker(in);
  Paths paths(parts_->options.lines);
  paths.unpack(in);
  AppState app_state(parts_->options.window);
  app_state.unpack(in);
  std::map<std::string, std::pair<PolicyMemory, PolicyMemory>> memories;
  const std::size_t rules = in.count();
  for (std::size_t i = 0; i < rules && !in.failed(); ++i) {
    auto& [memory, failures] = memories[in.text()];
    memory = unpack_policy(in);
    failures = unpack_policy(in);
  }
  if (version != kMemoryVersion || in.failed() || !in.at_end()) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("What the application '{}' remembered is of another version, or damaged; it "
                               "begins anew.",
                               parts_->options.app)};
  }
  parts_->tracker.restore(std::move(tracks));
  parts_->paths = std::move(paths);
  parts_->app_state = std::move(app_state);
  for (RunningRule& rule : parts_->rules) {
    std::tie(rule.memory, rule.failures) = std::move(memories[rule.options.name]);
  }
  return {};
}

SceneObject Judge::Parts::object_of(const content::Detection& row, const std::string& name,
                                    content::PictureSize picture) const {
  SceneObject object{.name = name, .area_fraction = area_fraction(row.box, picture)};
  const Place centre = centre_of(row.box, picture);
  for (const Polygon& zone : options.zones) {
    if (contains(zone, centre)) object.zones.push_back(zone.name);
  }
  return object;
}

// What of the boxes counts, which objects they are, and what those did.
void Judge::Parts::look(const content::Detections& found, const content::ClassNames& names,
                        std::uint64_t frame, Judged& judged) {
  Scene& scene = judged.scene;
  scene.found.picture = found.picture;
  scene.found.tells_visible = found.tells_visible;
  std::vector<std::size_t> rows;
  std::vector<tasks::vision::Seen> seen;
  for (std::size_t i = 0; i < found.rows.size(); ++i) {
    const content::Detection& row = found.rows[i];
    if (!is_usable(row.box)) continue;
    const bool sure = double{row.confidence} > options.confidence.of(content::name_of(row.class_id, names));
    const bool weak = options.track && double{row.confidence} > options.weak_confidence;
    if (!sure && !weak) continue;
    if (!options.region.corners.empty() && !contains(options.region, centre_of(row.box, found.picture)))
      continue;
    rows.push_back(i);
    seen.push_back({.class_id = row.class_id, .box = row.box, .sure = sure});
  }
  std::vector<tasks::vision::TrackOf> tracks(rows.size());
  if (options.track) tracks = tracker.update(frame, found.picture, seen);

  for (std::size_t i = 0; i < rows.size(); ++i) {
    const content::Detection& row = found.rows[rows[i]];
    const std::string name = content::name_of(row.class_id, names);
    const auto [id, confirmed] = tracks[i];
    if (id != 0)
      paths.move(id, confirmed, centre_of(row.box, found.picture), name, found.picture, scene.crossings);
    if (!seen[i].sure) continue;
    if (!options.track || (confirmed && paths.is_new(id))) ++judged.new_objects[name];
    scene.names[row.class_id] = name;
    copy_row(found, rows[i], scene.found);
    SceneObject& object = scene.objects.emplace_back(object_of(row, name, found.picture));
    if (confirmed) object.track_id = id;
  }
  if (options.track) {
    std::vector<std::uint64_t> ids;
    std::ranges::transform(tracker.state().tracks, std::back_inserter(ids), &tasks::vision::Track::id);
    paths.keep(ids);
  }
  app_state.take(scene, judged.new_objects);
}

// Runs all rules at the same time, each on its thread, and takes what came of them in their order.
void Judge::Parts::decide(Judged& judged) {
  for (RunningRule& rule : rules) rule.rule->begin(judged.json);
  std::vector<RuleState> states = state.with([](const JudgeState& shown) { return shown.rules; });
  for (std::size_t i = 0; i < rules.size(); ++i) {
    take_outcome(rules[i], rules[i].rule->end(options.rule_limit), judged, states[i], judged.decided);
  }
  std::string counts;
  app_state.append_counts(counts);
  state.with([&](JudgeState& shown) {
    ++shown.frames;
    shown.objects += judged.scene.objects.size();
    shown.crossings += judged.scene.crossings.size();
    shown.events += judged.decided.size();
    shown.tracks = tracker.state().last_id;
    shown.stuck = std::ranges::any_of(states, &RuleState::stuck);
    shown.counts = std::move(counts);
    shown.rules = std::move(states);
  });
}

void Judge::Parts::take_outcome(RunningRule& rule, const RuleOutcome& outcome, const Judged& judged,
                                RuleState& shown, std::vector<Decided>& decided) {
  const Scene& scene = judged.scene;
  ++shown.runs;
  shown.last = outcome.took;
  shown.total += outcome.took;
  shown.longest = std::max(shown.longest, outcome.took);
  shown.holds = outcome.holds;
  if (outcome.overran) {
    ++shown.overruns;
    if (!std::exchange(shown.stuck, true)) {
      log::error(
          "The application '{}' is stuck: its rule '{}' took longer than {:.0f} ms for frame {}; it is "
          "asked again with the next frame.",
          options.app, rule.options.name, to_ms(options.rule_limit), scene.frame);
    }
  } else {
    shown.stuck = false;
    shown.value = text::shortened(outcome.value, kShownValue);
  }
  const bool failed = !outcome.error.empty();
  if (failed) {
    ++shown.failures;
    shown.error = outcome.error;
  }
  const bool tells_failure = failed && fires(kFailures, rule.failures, true, scene.time_ms);
  if (fires(rule.options.policy, rule.memory, outcome.holds, scene.time_ms) || tells_failure) {
    ++shown.events;
    decided.push_back(event_of(rule, scene, outcome));
  }
}

Decided Judge::Parts::event_of(const RunningRule& rule, const Scene& scene,
                               const RuleOutcome& outcome) const {
  const bool failed = !outcome.error.empty();
  Event event{.app = scene.app,
              .source = scene.source,
              .rule = rule.options.name,
              .severity = failed ? "warning" : rule.options.severity,
              .frame = scene.frame,
              .time_ms = scene.time_ms};
  event.id = event_id(scene.app, scene.source, scene.frame,
                      rule.options.name + (failed ? std::string(kFailed) : ""));
  std::string& out = event.json;
  out = R"({"id":")" + event.id + R"(","kind":")" + (failed ? "rule_failed" : "rule") + R"(","rule":)";
  text::append_json_quoted(out, event.rule);
  out += R"(,"severity":)";
  text::append_json_quoted(out, event.severity);
  if (failed) {
    out += R"(,"error":)";
    text::append_json_quoted(out, outcome.error);
  } else {
    out += R"(,"value":)" + outcome.value;
  }
  out += ',';
  append_scene(out, scene);
  out += R"(,"counts":)";
  app_state.append_counts(out);
  out += '}';
  return {.event = std::move(event), .sinks = rule.options.sinks, .failed = failed};
}

}  // namespace bascule::applications

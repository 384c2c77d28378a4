#include "app/application_host.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "app/application_sinks.h"
#include "app/application_sources.h"
#include "app/application_till.h"
#include "applications/checkout/till.h"
#include "applications/day_counts.h"
#include "applications/delivery.h"
#include "applications/event_hub.h"
#include "applications/judge.h"
#include "applications/look.h"
#include "base/date.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/text.h"
#include "journal/outbox.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;
using applications::Addressed;
using applications::Decision;
using applications::Frame;
using applications::Inferred;
using applications::Judge;
using config::ApplicationYaml;

// How far a source has come is written with every event, and this often without one: a disk that is written
// to for each frame of a camera does not live for years.
constexpr Duration kPositionEvery = std::chrono::seconds(1);
constexpr Duration kLookAtPrices = std::chrono::milliseconds(500);

}  // namespace

// What a frame adds to a till's baskets. Thread-safety: a value.
struct ApplicationHost::Counted {
  applications::checkout::Seen seen;
  std::string key;  // the same for the same item, whenever the frame is judged
};

// One application's parts that outlive its runner.
struct ApplicationHost::Hosted {
  ApplicationYaml yaml;
  fs::path folder;  // that its paths are relative to
  fs::path state;   // where it keeps what must survive
  std::vector<std::string> sinks;
  std::unique_ptr<journal::Outbox> outbox;
  std::unique_ptr<applications::Delivery> delivery;
  std::shared_ptr<applications::EventHub> hub;
  std::shared_ptr<applications::PushBox> box;
  std::shared_ptr<applications::checkout::Till> till;  // null: it is none
  std::vector<Counted> counted;                        // of the frame that was judged last
  std::uint64_t counted_of_frame = 0;
  Guarded<std::shared_ptr<Judge>> judge;
  applications::LookOptions look;
  // Of the runner's thread: when the position was written last; and the frame that it is not yet for, where
  // the judge stands there.
  TimePoint written{};
  std::optional<std::uint64_t> unwritten;
  // What the frames up to `unwritten` add to the counts by day. Held while they are written, so that nobody
  // sees them twice.
  Guarded<applications::DayCounts> uncounted;

  Result<std::uint64_t> go_on();
  Result<Inferred> show(serving::InferenceService& service, const Frame& frame) const;
  Result<Decision> decide(const Frame& frame, const content::Detections& found,
                          const content::ClassNames& names_of_model);
  Result<void> count(const Frame& frame);
  Result<void> keep(const Frame& frame, const std::vector<Addressed>& events, const Clock& clock);
  // How far the source has come, with these events.
  Result<void> write(std::uint64_t frame, const std::vector<Addressed>& events);
  // What is left of that, after the runner's last frame.
  Result<void> write_rest();
  Result<std::vector<journal::Tally>> days(std::size_t most);
  [[nodiscard]] content::ClassNames names(const serving::ControlService& control) const;
  // How the rules and the sinks do.
  void tell(applications::ApplicationState& told);
};

// What of a scene goes into baskets by itself.
std::vector<ApplicationHost::Counted> ApplicationHost::counted_of(const ApplicationYaml& yaml,
                                                                  const applications::Scene& scene) {
  std::vector<Counted> out;
  if (yaml.checkout->count_at == "frame") {
    for (std::size_t i = 0; i < scene.objects.size(); ++i) {
      out.push_back(
          {.seen = {.class_name = scene.objects[i].name, .confidence = scene.found.rows[i].confidence}});
    }
    return out;
  }
  for (const applications::Crossing& crossing : scene.crossings) {
    if (crossing.line != yaml.checkout->count_at) continue;
    const auto object =
        std::ranges::find(scene.objects, crossing.track_id, &applications::SceneObject::track_id);
    const auto row = static_cast<std::size_t>(object - scene.objects.begin());
    out.push_back(
        {.seen = {.class_name = crossing.name,
                  .confidence = object == scene.objects.end() ? 1.0 : scene.found.rows[row].confidence},
         .key = applications::event_id(yaml.name, scene.source, scene.frame,
                                       fmt::format("{} {}", crossing.line, crossing.track_id))});
  }
  return out;
}

// A judge that remembers what was kept last, and the frame that this was.
Result<std::uint64_t> ApplicationHost::Hosted::go_on() {
  BASCULE_ASSIGN(std::unique_ptr<Judge> made, Judge::make(judge_options(yaml)));
  BASCULE_ASSIGN(const std::optional<journal::Position> position, outbox->position(yaml.source.kind));
  if (position && !position->mark.empty()) {
    if (const auto restored = made->restore(position->mark); !restored) {
      log::warning("{}: what was seen before is forgotten: {}", yaml.name, restored.error().message);
    }
  }
  judge.with([&](auto& j) { j = std::move(made); });
  unwritten.reset();
  uncounted.with([](applications::DayCounts& counts) { counts.clear(); });
  return position ? position->number : 0;
}

Result<Inferred> ApplicationHost::Hosted::show(serving::InferenceService& service, const Frame& frame) const {
  BASCULE_ASSIGN(applications::Looked looked, applications::look(service, look, frame.picture));
  content::ClassNames said = names_of(yaml);
  return Inferred{.found = std::move(looked.found),
                  .names = said.empty() ? std::move(looked.names) : std::move(said)};
}

Result<Decision> ApplicationHost::Hosted::decide(const Frame& frame, const content::Detections& found,
                                                 const content::ClassNames& names_of_model) {
  const auto one = judge.with([](const auto& j) { return j; });
  unwritten.reset();  // the judge goes on: it no longer stands where this says
  BASCULE_ASSIGN(applications::Judged judged, one->judge(frame, found, names_of_model));
  uncounted.with([&](applications::DayCounts& counts) { counts.take(judged); });
  if (till != nullptr) {
    counted = counted_of(yaml, judged.scene);
    counted_of_frame = frame.number;
  }
  Decision decision{.scene = std::move(judged.json), .shown = std::move(judged.scene.found)};
  for (applications::Decided& decided : judged.decided) {
    decision.events.push_back({.event = std::move(decided.event),
                               .sinks = decided.sinks.empty() ? sinks : std::move(decided.sinks)});
  }
  return Result<Decision>(std::move(decision));
}

// Before the frame counts as handled: after a kill it is judged again, and its items have the same keys.
Result<void> ApplicationHost::Hosted::count(const Frame& frame) {
  // A frame that could not be looked at was not judged: what is there is of the one before it.
  if (till == nullptr || counted_of_frame != frame.number) return {};
  // How long a key is remembered counts from now, however old the frame is.
  const std::int64_t now_s = unix_time() / std::chrono::seconds(1);
  if (yaml.checkout->count_at == "frame") {
    std::vector<applications::checkout::Seen> all;
    for (const Counted& one : counted) all.push_back(one.seen);
    BASCULE_TRY(
        till->count_all(all, applications::event_id(yaml.name, frame.source, frame.number, "frame"), now_s));
    return {};
  }
  for (const Counted& one : counted) BASCULE_TRY(till->count(one.seen, one.key, now_s));
  return {};
}

Result<void> ApplicationHost::Hosted::keep(const Frame& frame, const std::vector<Addressed>& events,
                                           const Clock& clock) {
  BASCULE_TRY(count(frame));
  const TimePoint now = clock.now();
  // With events, nothing is written without them: the frame would not be judged again.
  if (events.empty()) unwritten = frame.number;
  if (events.empty() && now - written < kPositionEvery) return {};
  BASCULE_TRY(write(frame.number, events));
  written = now;
  return {};
}

Result<void> ApplicationHost::Hosted::write(std::uint64_t frame, const std::vector<Addressed>& events) {
  const auto one = judge.with([](const auto& j) { return j; });
  const journal::Position position{.source = yaml.source.kind, .number = frame, .mark = one->save()};
  const auto put = uncounted.with([&](applications::DayCounts& counts) {
    auto result = delivery->put(events, position, counts.tallies());
    if (result) counts.clear();
    return result;
  });
  BASCULE_TRY(put);
  unwritten.reset();
  return {};
}

Result<void> ApplicationHost::Hosted::write_rest() {
  if (!unwritten) return {};
  return write(*unwritten, {});
}

Result<std::vector<journal::Tally>> ApplicationHost::Hosted::days(std::size_t most) {
  return uncounted.with([&](applications::DayCounts& now) -> Result<std::vector<journal::Tally>> {
    BASCULE_ASSIGN(const std::vector<journal::Tally> kept, outbox->tallies(most));
    applications::DayCounts both = now;
    both.take(kept);
    return both.tallies(most);
  });
}

// How classes are called on frames that bring their boxes.
content::ClassNames ApplicationHost::Hosted::names(const serving::ControlService& control) const {
  content::ClassNames said = names_of(yaml);
  if (!said.empty() || yaml.model.empty()) return said;
  const auto model = control.model(look.model, "");
  return model ? (*model)->class_names : said;
}

void ApplicationHost::Hosted::tell(applications::ApplicationState& told) {
  if (const auto one = judge.with([](const auto& j) { return j; })) {
    told.rules = one->state().rules;
  } else {  // before its first frame
    for (const auto& rule : yaml.rules) told.rules.push_back({.rule = rule.name});
  }
  if (auto sinks_now = delivery->states()) told.sinks = *std::move(sinks_now);
}

std::string served_name(const ApplicationFile& file, const ApplicationYaml& application) {
  for (const config::ModelEntry& entry : file.models) {
    const std::string name = entry.name.empty() ? fs::path(entry.path).stem().string() : entry.name;
    if (name == application.model) return name;
  }
  std::error_code code;
  const fs::path beside = file.file.parent_path() / application.model;
  return fs::exists(beside, code) ? beside.stem().string() : application.model;
}

ApplicationHost::ApplicationHost() = default;

ApplicationHost::~ApplicationHost() { stop(); }

void ApplicationHost::stop() {
  refresh_.reset();
  if (service_ != nullptr) service_->stop_all();
  for (const auto& one : hosted_) {
    if (const auto written = one->write_rest(); !written) {
      log::warning("{}: its last frames are judged again at the next start: {}", one->yaml.name,
                   written.error().message);
    }
    one->delivery->stop();
  }
}

namespace {

// Where an application keeps what must survive; made where it is not there.
Result<fs::path> state_folder(const ApplicationFile& file, const ApplicationYaml& one,
                              const config::Values& values) {
  const fs::path root =
      values.has("state_dir") ? fs::path(values.text("state_dir")) : file.file.parent_path();
  fs::path folder = root / (one.name + ".state");
  std::error_code code;
  fs::create_directories(folder, code);
  if (!code) return folder;
  return Error{.code = Code::kUnavailable,
               .message = fmt::format("'{}' cannot be made: {}. Name another place with --state-dir.",
                                      folder.string(), code.message())};
}

journal::OutboxOptions outbox_options(const ApplicationYaml::Outbox& from) {
  return {.max_bytes = from.max_mb << 20U,
          .max_age = std::chrono::milliseconds(from.max_age_ms),
          .when_full = from.drop_oldest ? journal::WhenFull::kDropOldest : journal::WhenFull::kRefuse};
}

std::optional<bool> latest_of(const ApplicationYaml& one) {
  const std::string said = setting_of(one.source, "on_full", "");
  return said.empty() ? std::nullopt : std::optional(said == "latest");
}

}  // namespace

Result<std::shared_ptr<ApplicationHost::Hosted>> ApplicationHost::make(const ApplicationFile& file,
                                                                       const ApplicationYaml& application,
                                                                       const HostParts& parts) {
  auto one = std::make_shared<Hosted>();
  one->yaml = application;
  one->folder = file.file.parent_path();
  for (const auto& sink : application.sinks) one->sinks.push_back(sink.name);
  BASCULE_ASSIGN(one->state, state_folder(file, application, parts.values));
  BASCULE_ASSIGN(one->outbox, journal::Outbox::open(one->state / "outbox.sqlite",
                                                    outbox_options(application.outbox), parts.clock));
  BASCULE_ASSIGN(std::vector<applications::NamedSink> sinks,
                 open_sinks(application, one->folder, parts.clock));
  one->delivery = std::make_unique<applications::Delivery>(
      *one->outbox, std::move(sinks), applications::DeliveryOptions{.app = application.name}, parts.clock);
  one->hub = std::make_shared<applications::EventHub>(applications::EventHubOptions{});
  BASCULE_ASSIGN(const std::unique_ptr<Judge> tried, Judge::make(judge_options(application)));
  one->look = look_options(application, tried->lowest_confidence(),
                           static_cast<std::uint64_t>(parts.values.integer("max_pixels")));
  one->look.model = served_name(file, application);
  if (application.checkout) {
    BASCULE_ASSIGN(one->till,
                   open_till(application, {.folder = one->folder, .state = one->state, .look = one->look},
                             parts.inference));
  }
  if (application.source.kind == "push") {
    const std::string most = setting_of(application.source, "max_frames", "8");
    one->box = std::make_shared<applications::PushBox>(
        applications::PushOptions{.source = application.source.kind,
                                  .max_frames = static_cast<std::size_t>(text::parse_int(most).value_or(8)),
                                  .latest = latest_of(application).value_or(false)});
    // Open before anyone is told where to push; the numbers go on behind those of the last run.
    BASCULE_ASSIGN(const auto position, one->outbox->position(application.source.kind));
    one->box->open(position ? position->number : 0);
  }
  return Result<std::shared_ptr<Hosted>>(std::move(one));
}

Result<applications::Application> ApplicationHost::assemble(const std::shared_ptr<Hosted>& one,
                                                            const HostParts& parts, std::uint64_t seed) {
  BASCULE_ASSIGN(OpenSource open, source_of(one->yaml, {.values = parts.values,
                                                        .clock = parts.clock,
                                                        .folder = one->folder,
                                                        .state = one->state,
                                                        .box = one->box,
                                                        .seed = seed}));
  applications::RunnerParts runs{
      .position = [one] { return one->go_on(); },
      .open = std::move(open),
      .infer = [one, &service = parts.inference](
                   const Frame& frame, const applications::Stop&) { return one->show(service, frame); },
      .names = [one, &control = parts.control] { return one->names(control); },
      .judge = [one](const Frame& frame, const content::Detections& found,
                     const content::ClassNames& names) { return one->decide(frame, found, names); },
      .keep = [one, &clock = parts.clock](
                  const Frame& frame,
                  const std::vector<Addressed>& events) { return one->keep(frame, events, clock); }};
  applications::RunnerOptions options{
      .app = one->yaml.name,
      .latest = latest_of(one->yaml),
      .max_fps = max_fps_of(one->yaml.source),
      .pictures = wants_pictures(one->yaml),
      .max_pixels = static_cast<std::uint64_t>(parts.values.integer("max_pixels"))};
  return applications::Application{
      .name = one->yaml.name,
      .events = one->hub,
      .box = one->box,
      .runner = std::make_unique<applications::Runner>(
          std::move(options), std::move(runs),
          [hub = one->hub](const applications::Event& event) { hub->publish(event); }, parts.clock),
      .till = one->till,
      .parts = [one](applications::ApplicationState& state) { one->tell(state); },
      .send_again = [one] { return one->delivery->send_again(); },
      .days = [one](std::size_t most) { return one->days(most); }};
}

Result<std::unique_ptr<ApplicationHost>> ApplicationHost::open(const ApplicationFile& file,
                                                               const HostParts& parts) {
  auto host = std::make_unique<ApplicationHost>();
  std::vector<applications::Application> all;
  for (const ApplicationYaml& application : file.applications) {
    BASCULE_ASSIGN(const std::shared_ptr<Hosted> one, make(file, application, parts));
    BASCULE_ASSIGN(applications::Application assembled, assemble(one, parts, all.size() + 1));
    all.push_back(std::move(assembled));
    host->hosted_.push_back(one);
  }
  std::vector<Refreshed> prices;
  for (const auto& one : host->hosted_) {
    if (one->till == nullptr) continue;
    prices.push_back({.files = {(one->folder / one->yaml.checkout->prices).string()},
                      .load = [till = one->till] { till->reload_prices(); }});
  }
  host->refresh_ = std::make_unique<Refresh>(std::move(prices), kLookAtPrices);
  host->service_ = std::make_unique<applications::ApplicationService>(std::move(all));
  return Result<std::unique_ptr<ApplicationHost>>(std::move(host));
}

}  // namespace bascule::app

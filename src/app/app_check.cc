#include "app/app_check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/application_config.h"
#include "app/commands.h"
#include "app/local_model.h"
#include "app/pictures.h"
#include "applications/judge.h"
#include "applications/look.h"
#include "base/file.h"
#include "base/text.h"
#include "content/labels.h"
#include "image/decode.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

using config::ApplicationYaml;

constexpr std::uint64_t kMaxPicture = 256ULL << 20U;
constexpr std::uint64_t kMaxLabels = 16ULL << 20U;

// What the command line asks for.
struct CheckRun {
  const config::Values& values;
  std::vector<std::string> pictures;  // to be shown; empty: nothing is
  fs::path folder;
  bool labels = false;
  bool json = false;
  double fps = 1;
  std::uint64_t max_pixels = 0;
};

std::string target_of(const ApplicationYaml::Channel& channel) {
  std::string out = fmt::format("{} {}", channel.kind, channel.target);
  for (const auto& [key, setting] : channel.settings) out += fmt::format(", {} {}", key, setting.text);
  return text::escape_controls(out);
}

std::vector<std::string> names_in(const std::vector<ApplicationYaml::Shape>& shapes) {
  std::vector<std::string> out;
  std::ranges::transform(shapes, std::back_inserter(out), &ApplicationYaml::Shape::name);
  return out;
}

std::string seconds(double value) { return fmt::format("{:.3g} s", value); }

void print_rule(const ApplicationYaml::Rule& rule) {
  std::vector<std::string> words = {rule.severity};
  if (rule.of > 1) words.push_back(fmt::format("for {} of {} frames", rule.needed, rule.of));
  if (rule.cooldown_ms > 0)
    words.push_back("cooldown " + seconds(static_cast<double>(rule.cooldown_ms) / 1000));
  words.push_back(rule.sinks.empty() ? std::string("to every sink")
                                     : fmt::format("to {}", fmt::join(rule.sinks, ", ")));
  fmt::print("  rule     {}: {}\n           {}\n", text::escape_controls(rule.name), fmt::join(words, ", "),
             text::escape_controls(rule.when));
}

void print_application(const ApplicationYaml& one, const fs::path& model) {
  fmt::print("{}\n  source   {}\n", one.name, target_of(one.source));
  std::error_code code;
  if (!one.model.empty()) {
    fmt::print("  model    {}{}\n", model.string(),
               fs::exists(model, code) ? "" : " (no file: a served model's name)");
  }
  std::string confidence = fmt::format("{}", one.confidence);
  for (const auto& [name, least] : one.confidences) confidence += fmt::format(", {} for {}", least, name);
  fmt::print("  objects  surer than {}{}\n", confidence, one.region.empty() ? "" : ", in the region");
  if (one.tiles)
    fmt::print("  tiles    of {} pixels, overlapping by {}\n", one.tiles->size, one.tiles->overlap);
  if (one.track.on) fmt::print("  track    until they were not seen for {} frames\n", one.track.lost_frames);
  if (!one.zones.empty()) fmt::print("  zones    {}\n", fmt::join(names_in(one.zones), ", "));
  if (!one.lines.empty()) fmt::print("  lines    {}\n", fmt::join(names_in(one.lines), ", "));
  std::ranges::for_each(one.rules, print_rule);
  for (const ApplicationYaml::Channel& sink : one.sinks)
    fmt::print("  sink     {}: {}\n", sink.name, target_of(sink));
}

// One frame of a replay, made of a picture.
Result<applications::Frame> read_frame(const CheckRun& run, const std::string& picture,
                                       std::uint64_t number) {
  BASCULE_ASSIGN(auto bytes, read_file(picture, kMaxPicture));
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  applications::Frame frame{
      .picture = {.bytes = *owner, .owner = owner, .name = picture},
      .source = run.folder.filename().empty() ? run.folder.parent_path().filename().string()
                                              : run.folder.filename().string(),
      .number = number,
      .time_ms = static_cast<std::int64_t>(std::llround(1000.0 * static_cast<double>(number - 1) / run.fps))};
  if (!run.labels) return frame;
  BASCULE_ASSIGN(const image::Header header, image::read_header(*owner, {.max_pixels = run.max_pixels}));
  content::Detections& found = frame.labelled.emplace();
  found.picture = {.height = header.height, .width = header.width};
  const fs::path file = run.folder / "labels" / (fs::path(picture).stem().string() + ".txt");
  std::error_code code;
  if (!fs::exists(file, code)) return frame;  // it shows nothing
  BASCULE_ASSIGN(const auto text, read_file(file, kMaxLabels));
  BASCULE_ASSIGN(
      const auto labels,
      content::read_labels({reinterpret_cast<const char*>(text.data()), text.size()}, file.string(), {}));
  for (const content::Label& label : labels) {
    found.rows.push_back(
        {.class_id = label.class_id, .confidence = 1, .box = content::box_of(label, found.picture)});
  }
  return frame;
}

// The objects of a frame, such as "2 apple, 1 banana".
std::string objects_of(const applications::Scene& scene) {
  std::map<std::string, int> counts;
  for (const applications::SceneObject& object : scene.objects) ++counts[object.name];
  std::vector<std::string> words;
  for (const auto& [name, count] : counts) words.push_back(fmt::format("{} {}", count, name));
  return words.empty() ? "-" : fmt::format("{}", fmt::join(words, ", "));
}

void print_json(const std::string& picture, const applications::Judged& judged,
                const applications::JudgeState& state) {
  std::string out =
      "{\"picture\":" + text::json_quoted(picture) + ",\"scene\":" + *judged.json + ",\"events\":[";
  for (const applications::Decided& decided : judged.decided) {
    if (out.back() != '[') out += ',';
    out += decided.event.json;
  }
  fmt::print("{}],\"stuck\":{}}}\n", out, state.stuck);
}

void print_row(const std::string& picture, const applications::Judged& judged) {
  std::vector<std::string> fired;
  for (const applications::Decided& decided : judged.decided) {
    fired.push_back(
        fmt::format("{} ({})", text::escape_controls(decided.event.rule), decided.event.severity));
  }
  fmt::print("  {:>5}  {:>9}  {:<24}  {:<32}  {}\n", judged.scene.frame,
             fmt::format("{:.2f} s", static_cast<double>(judged.scene.time_ms) / 1000),
             text::escape_controls(fs::path(picture).filename().string()), objects_of(judged.scene),
             fired.empty() ? "-" : fmt::format("{}", fmt::join(fired, ", ")));
}

void print_summary(const applications::JudgeState& state) {
  fmt::print("  {} frames, {} objects, {} crossings, {} events\n", state.frames, state.objects,
             state.crossings, state.events);
  for (const applications::RuleState& rule : state.rules) {
    fmt::print("  {}: {} events, {} failures, {:.2f} ms at most{}\n", text::escape_controls(rule.rule),
               rule.events, rule.failures, to_ms(rule.longest), rule.error.empty() ? "" : "; " + rule.error);
  }
}

Result<std::unique_ptr<LocalModel>> open_model(const CheckRun& run, const fs::path& file) {
  return LocalModel::open(file, {.max_pixels = run.max_pixels,
                                 .cores = cores_asked(run.values),
                                 .width = 1,
                                 .engines = engine_options(run.values)});
}

// Shows every picture to the application, in order.
Result<void> replay(const CheckRun& run, const ApplicationYaml& one, const fs::path& model_file,
                    applications::Judge& judge) {
  if (!run.labels && one.model.empty()) {
    return invalid_argument(fmt::format(
        "The application '{}' has no model, since its source brings boxes; give --labels as well.",
        one.name));
  }
  std::unique_ptr<LocalModel> model;
  content::ClassNames names = names_of(one);
  if (!run.labels || (names.empty() && !one.model.empty())) {
    BASCULE_ASSIGN(model, open_model(run, model_file));
    if (names.empty()) names = model->info().class_names;
  }
  const auto options = look_options(one, judge.lowest_confidence(), run.max_pixels);
  if (!run.json) {
    fmt::print("  {:>5}  {:>9}  {:<24}  {:<32}  {}\n", "frame", "time", "picture", "objects", "would fire");
  }
  std::uint64_t number = 0;
  for (const std::string& picture : run.pictures) {
    BASCULE_ASSIGN(const applications::Frame frame, read_frame(run, picture, ++number));
    content::Detections found;
    if (frame.labelled) {
      found = *frame.labelled;
    } else {
      BASCULE_ASSIGN(applications::Looked looked,
                     applications::look(model->service(), options, frame.picture));
      found = std::move(looked.found);
    }
    BASCULE_ASSIGN(const applications::Judged judged, judge.judge(frame, found, names));
    if (run.json) {
      print_json(picture, judged, judge.state());
    } else {
      print_row(picture, judged);
    }
  }
  if (!run.json) print_summary(judge.state());
  return {};
}

// The pictures of a folder, or of its folder `images`.
Result<std::vector<std::string>> pictures_of(const fs::path& folder) {
  std::error_code code;
  const fs::path images = folder / "images";
  return expand_pictures({(fs::is_directory(images, code) ? images : folder).string()});
}

int check_all(const CheckRun& run, const ApplicationFile& file) {
  if (!run.json) {
    fmt::print("{}: {} application{}\n", file.file.string(), file.applications.size(),
               file.applications.size() == 1 ? "" : "s");
  }
  for (const ApplicationYaml& one : file.applications) {
    auto judge = applications::Judge::make(judge_options(one));
    if (!judge) return fail(judge.error(), kUsage);
    const fs::path model = file.model_of(one);
    if (!run.json) print_application(one, model);
    if (run.pictures.empty()) continue;
    if (auto played = replay(run, one, model, **judge); !played) return fail(played.error(), kFailed);
  }
  return kOk;
}

}  // namespace

int app_check(const config::Values& values, const std::string& path) {
  const auto file = read_application_file(path);
  if (!file) return fail(file.error(), kUsage);
  CheckRun run{.values = values,
               .labels = values.flag("labels"),
               .json = values.flag("json"),
               .fps = values.number("fps"),
               .max_pixels = static_cast<std::uint64_t>(values.integer("max_pixels"))};
  if (run.labels && !values.has("replay")) {
    return fail(invalid_argument("--labels goes with --replay DIR, whose labels it takes."), kUsage);
  }
  if (values.has("replay")) {
    run.folder = values.text("replay");
    auto pictures = pictures_of(run.folder);
    if (!pictures) return fail(pictures.error(), kFailed);
    run.pictures = *std::move(pictures);
  }
  return check_all(run, *file);
}

}  // namespace bascule::app

#include "config/application_yaml.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include "base/file.h"
#include "base/text.h"
#include "config/yaml_file.h"

namespace bascule::config {
namespace {

using Place = ApplicationYaml::Place;
using Shape = ApplicationYaml::Shape;
using Channel = ApplicationYaml::Channel;

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxApplications = 64;
constexpr std::size_t kMaxRules = 64;  // each has a thread
constexpr std::size_t kMaxSinks = 16;  // likewise
constexpr std::int64_t kMaxFrames = 1000;
constexpr std::int64_t kLeastOutboxMb = 16;  // the events of one frame fit in any case

// What may be said of a source or a sink beside what it is.
struct SettingRule {
  enum class Type : std::uint8_t { kText, kFlag, kInteger, kNumber, kTime, kChoice };
  std::string_view name;
  Type type = Type::kText;
  double least = 0;
  double most = 0;
  std::string_view choices = {};  // with one space between them
};

struct ChannelRule {
  std::string_view kind;
  std::vector<SettingRule> settings;
};

const std::vector<ChannelRule>& source_kinds() {
  using enum SettingRule::Type;
  static const SettingRule fps{"fps", kNumber, 0.001, 1000};
  static const SettingRule on_full{"on_full", kChoice, 0, 0, "latest wait"};
  static const SettingRule user{"user"};
  static const SettingRule password{"password_file"};
  static const SettingRule ca{"ca_file"};
  static const std::vector<ChannelRule> kinds = {
      {"folder", {{"follow", kFlag}, fps, on_full}},
      {"video", {fps, on_full}},
      {"camera", {fps, on_full, {"width", kInteger, 16, 16384}, {"height", kInteger, 16, 16384}}},
      {"push", {{"max_frames", kInteger, 1, 1000}, fps, on_full}},
      {"mqtt", {user, password, ca, fps, on_full}},
      {"labels", {fps}},
      {"belt",
       {{"labels"},
        fps,
        {"window", kInteger, 16, 16384},
        {"speed", kNumber, 0.1, 16384},
        {"drop_every", kInteger, 0, 1000}}}};
  return kinds;
}

const std::vector<ChannelRule>& sink_kinds() {
  using enum SettingRule::Type;
  static const SettingRule picture{"picture", kFlag};
  static const SettingRule limit{"time_limit", kTime};
  static const std::vector<ChannelRule> kinds = {
      {"webhook", {{"secret_file"}, {"ca_file"}, picture, {"allow_private", kFlag}, limit}},
      {"mqtt", {{"user"}, {"password_file"}, {"ca_file"}, picture, limit}},
      {"jsonl", {}},
      {"csv", {}},
      {"pictures", {}}};
  return kinds;
}

class Reader {
 public:
  explicit Reader(const std::string& file) : yaml_(file) {}

  Result<std::vector<ApplicationYaml>> read(const YAML::Node& root) const {
    std::vector<ApplicationYaml> out;
    if (!root.IsMap() || !root["applications"]) return Result<std::vector<ApplicationYaml>>(std::move(out));
    BASCULE_ASSIGN(const YAML::Node list, yaml_.list(root["applications"], "'applications'"));
    if (list.size() > kMaxApplications) {
      return yaml_.wrong(
          list, fmt::format("there are {} applications; the limit is {}", list.size(), kMaxApplications));
    }
    for (const YAML::Node& item : list) {
      BASCULE_ASSIGN(ApplicationYaml one, application(item));
      if (std::ranges::find(out, one.name, &ApplicationYaml::name) != out.end()) {
        return yaml_.wrong(item, fmt::format("there are two applications '{}'", one.name));
      }
      out.push_back(std::move(one));
    }
    return Result<std::vector<ApplicationYaml>>(std::move(out));
  }

 private:
  Result<ApplicationYaml> application(const YAML::Node& node) const {
    static const std::vector<std::string> known = {
        "name",  "source", "model", "names",  "region", "tiles", "confidence", "iou",
        "track", "zones",  "lines", "window", "rules",  "sinks", "outbox",     "checkout"};
    BASCULE_TRY(yaml_.map(node, "an application", known));
    ApplicationYaml out{.place = yaml_.place(node)};
    BASCULE_ASSIGN(out.name, needed(node, "name"));
    if (!valid_model_name(out.name)) {
      return yaml_.wrong(
          node["name"],
          fmt::format("'{}' is no name of an application: 1 to 128 of letters, digits, '_', '-' and '.'",
                      text::shortened(out.name)));
    }
    if (!node["source"]) return yaml_.wrong(node, "'source' is missing; it says where the frames come from");
    BASCULE_ASSIGN(out.source, channel(node["source"], "a source", source_kinds()));
    const bool brings_boxes = out.source.kind == "labels" || out.source.settings.contains("labels");
    if (node["model"] || !brings_boxes) {
      BASCULE_ASSIGN(out.model, needed(node, "model"));
    }
    BASCULE_TRY(looks(node, out));
    BASCULE_TRY(places(node, out));
    if (const YAML::Node sinks = node["sinks"]) {
      BASCULE_TRY(read_sinks(sinks, out));
    }
    if (const YAML::Node outbox = node["outbox"]) {
      BASCULE_TRY(read_outbox(outbox, out.outbox));
    }
    if (const YAML::Node rules = node["rules"]) {
      BASCULE_TRY(read_rules(rules, out));
    }
    if (const YAML::Node checkout = node["checkout"]) {
      BASCULE_TRY(read_checkout(checkout, out));
    }
    return out;
  }

  // What of the model's answers counts.
  Result<void> looks(const YAML::Node& node, ApplicationYaml& out) const {
    if (const YAML::Node names = node["names"]) {
      BASCULE_ASSIGN(const YAML::Node list, yaml_.list(names, "'names'"));
      for (const YAML::Node& item : list) {
        BASCULE_ASSIGN(std::string name, yaml_.scalar(item, "a name of 'names'"));
        out.names.push_back(std::move(name));
      }
    }
    if (const YAML::Node tiles = node["tiles"]) {
      BASCULE_TRY(yaml_.map(tiles, "'tiles'", {"size", "overlap"}));
      out.tiles.emplace(ApplicationYaml::Tiles{});
      if (const YAML::Node size = tiles["size"]) {
        BASCULE_ASSIGN(const std::int64_t pixels, yaml_.integer(size, "'size' of tiles", 32, 8192));
        out.tiles->size = static_cast<int>(pixels);
      }
      if (const YAML::Node overlap = tiles["overlap"]) {
        BASCULE_ASSIGN(out.tiles->overlap, yaml_.number(overlap, "'overlap' of tiles", 0, 0.9));
      }
    }
    if (const YAML::Node iou = node["iou"]) {
      BASCULE_ASSIGN(out.iou, yaml_.number(iou, "'iou'", 0, 1));
    }
    if (const YAML::Node confidence = node["confidence"]) {
      BASCULE_TRY(confidences(confidence, out));
    }
    if (const YAML::Node window = node["window"]) {
      BASCULE_ASSIGN(const std::int64_t frames, yaml_.integer(window, "'window'", 1, kMaxFrames));
      out.window = static_cast<std::uint64_t>(frames);
    }
    return {};
  }

  Result<void> confidences(const YAML::Node& node, ApplicationYaml& out) const {
    if (node.IsScalar()) {
      BASCULE_ASSIGN(out.confidence, yaml_.number(node, "'confidence'", 0, 1));
      return {};
    }
    BASCULE_TRY(yaml_.map(node, "'confidence'", {}));
    for (const auto& member : node) {
      const std::string name = member.first.Scalar();
      BASCULE_ASSIGN(
          const double least,
          yaml_.number(member.second, fmt::format("the confidence of '{}'", text::shortened(name)), 0, 1));
      (name == "default" ? out.confidence : out.confidences[name]) = least;
    }
    return {};
  }

  // Where on the frame something is, and where it goes.
  Result<void> places(const YAML::Node& node, ApplicationYaml& out) const {
    if (const YAML::Node region = node["region"]) {
      BASCULE_ASSIGN(out.region, points(region, "'region'", 3));
    }
    if (const YAML::Node track = node["track"]) {
      BASCULE_TRY(read_track(track, out.track));
    }
    if (const YAML::Node zones = node["zones"]) {
      BASCULE_ASSIGN(out.zones, shapes(zones, "zones", 3));
    }
    if (const YAML::Node lines = node["lines"]) {
      BASCULE_ASSIGN(out.lines, shapes(lines, "lines", 2));
      if (!out.track.on && !out.lines.empty()) {
        return yaml_.wrong(lines,
                           "lines are crossed by objects that are followed; say 'track: true' as well");
      }
    }
    return {};
  }

  Result<void> read_track(const YAML::Node& node, ApplicationYaml::Track& out) const {
    if (node.IsScalar()) {
      BASCULE_ASSIGN(out.on, yaml_.flag(node, "'track'"));
      return {};
    }
    BASCULE_TRY(yaml_.map(node, "'track'", {"lost_frames", "weak_confidence", "per_class"}));
    out.on = true;
    if (const YAML::Node lost = node["lost_frames"]) {
      BASCULE_ASSIGN(const std::int64_t frames, yaml_.integer(lost, "'lost_frames'", 1, 10 * kMaxFrames));
      out.lost_frames = static_cast<std::uint64_t>(frames);
    }
    if (const YAML::Node weak = node["weak_confidence"]) {
      BASCULE_ASSIGN(out.weak_confidence, yaml_.number(weak, "'weak_confidence'", 0, 1));
    }
    if (const YAML::Node per_class = node["per_class"]) {
      BASCULE_ASSIGN(out.per_class, yaml_.flag(per_class, "'per_class'"));
    }
    return {};
  }

  // A polygon of at least `least` corners, or, where that is 2, a line of two ends.
  Result<std::vector<Place>> points(const YAML::Node& node, std::string_view what, std::size_t least) const {
    BASCULE_ASSIGN(const YAML::Node list, yaml_.list(node, what));
    if (list.size() < least || (least == 2 && list.size() != 2)) {
      return yaml_.wrong(list, fmt::format("{} has {} points; it must have {}", what, list.size(),
                                           least == 2 ? "2" : "at least 3"));
    }
    std::vector<Place> out;
    for (const YAML::Node& item : list) {
      if (!item.IsSequence() || item.size() != 2) {
        return yaml_.wrong(item, fmt::format("a point of {} is [x, y], in parts of the frame", what));
      }
      Place at;
      BASCULE_ASSIGN(at.x, yaml_.number(item[0], fmt::format("an x of {}", what), 0, 1));
      BASCULE_ASSIGN(at.y, yaml_.number(item[1], fmt::format("a y of {}", what), 0, 1));
      out.push_back(at);
    }
    if (least == 2 && out[0].x == out[1].x && out[0].y == out[1].y) {
      return yaml_.wrong(list, fmt::format("{} has no length", what));
    }
    return Result<std::vector<Place>>(std::move(out));
  }

  Result<std::vector<Shape>> shapes(const YAML::Node& node, std::string_view what, std::size_t least) const {
    BASCULE_TRY(yaml_.map(node, fmt::format("'{}'", what), {}));
    std::vector<Shape> out;
    for (const auto& member : node) {
      Shape shape;
      BASCULE_ASSIGN(shape.name, name(member.first));
      BASCULE_ASSIGN(shape.points, points(member.second, fmt::format("'{}'", shape.name), least));
      out.push_back(std::move(shape));
    }
    return Result<std::vector<Shape>>(std::move(out));
  }

  Result<std::string> name(const YAML::Node& node) const {
    BASCULE_ASSIGN(std::string text, yaml_.scalar(node, "a name"));
    const bool plain =
        std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    if (!text.empty() && text.size() <= kMaxName && plain) return text;
    return yaml_.wrong(node, fmt::format("a name has 1 to {} characters on one line", kMaxName));
  }

  Result<std::string> needed(const YAML::Node& node, const std::string& key) const {
    const YAML::Node found = node[key];
    if (!found) return yaml_.wrong(node, fmt::format("'{}' is missing", key));
    BASCULE_ASSIGN(std::string text, yaml_.scalar(found, fmt::format("'{}'", key)));
    if (text.empty()) return yaml_.wrong(found, fmt::format("'{}' is empty", key));
    return text;
  }

  Result<Channel> channel(const YAML::Node& node, std::string_view what,
                          const std::vector<ChannelRule>& kinds) const {
    BASCULE_TRY(yaml_.map(node, what, {}));
    std::vector<std::string> known;
    const ChannelRule* rule = nullptr;
    for (const ChannelRule& kind : kinds) {
      known.emplace_back(kind.kind);
      if (!node[std::string(kind.kind)] || (rule != nullptr && is_setting(*rule, kind.kind))) continue;
      // A belt has labels, which are a source of their own where nothing else is said.
      if (rule != nullptr && !is_setting(kind, rule->kind)) {
        return yaml_.wrong(node, fmt::format("{} is one of {}; here are both '{}' and '{}'", what,
                                             fmt::join(known, ", "), rule->kind, kind.kind));
      }
      rule = &kind;
    }
    if (rule == nullptr) {
      const std::string first = node.size() > 0 ? node.begin()->first.Scalar() : "";
      const auto near = text::nearest(first, known);
      return yaml_.wrong(node, fmt::format("{} is one of {}{}", what, fmt::join(known, ", "),
                                           near ? fmt::format("; did you mean '{}'?", *near) : ""));
    }
    Channel out{.kind = std::string(rule->kind), .place = yaml_.place(node)};
    for (const auto& member : node) {
      const std::string key = member.first.Scalar();
      if (key == out.kind) {
        BASCULE_ASSIGN(out.target, needed(node, key));
        continue;
      }
      BASCULE_ASSIGN(out.settings[key], setting(*rule, key, member.first, member.second));
    }
    return out;
  }

  static bool is_setting(const ChannelRule& kind, std::string_view name) {
    return std::ranges::find(kind.settings, name, &SettingRule::name) != kind.settings.end();
  }

  Result<ApplicationYaml::Setting> setting(const ChannelRule& kind, const std::string& key,
                                           const YAML::Node& at, const YAML::Node& value) const {
    const auto rule = std::ranges::find(kind.settings, key, &SettingRule::name);
    if (rule == kind.settings.end()) {
      std::vector<std::string> known;
      for (const SettingRule& one : kind.settings) known.emplace_back(one.name);
      return yaml_.unknown(at, key, known);
    }
    const std::string what = fmt::format("'{}'", key);
    ApplicationYaml::Setting out{.place = yaml_.place(value)};
    BASCULE_ASSIGN(out.text, yaml_.scalar(value, what));
    switch (rule->type) {
      case SettingRule::Type::kText: break;
      case SettingRule::Type::kFlag: BASCULE_TRY(yaml_.flag(value, what)); break;
      case SettingRule::Type::kInteger:
        BASCULE_TRY(yaml_.integer(value, what, static_cast<std::int64_t>(rule->least),
                                  static_cast<std::int64_t>(rule->most)));
        break;
      case SettingRule::Type::kNumber: BASCULE_TRY(yaml_.number(value, what, rule->least, rule->most)); break;
      case SettingRule::Type::kTime: {
        BASCULE_ASSIGN(const std::int64_t ms, yaml_.duration_ms(value, what));
        out.text = std::to_string(ms);
        break;
      }
      case SettingRule::Type::kChoice:
        if (fmt::format(" {} ", rule->choices).find(fmt::format(" {} ", out.text)) == std::string::npos) {
          return yaml_.wrong(value, fmt::format("{} is '{}'; it must be one of {}", what,
                                                text::shortened(out.text), rule->choices));
        }
        break;
    }
    return out;
  }

  Result<void> read_sinks(const YAML::Node& node, ApplicationYaml& out) const {
    BASCULE_TRY(yaml_.map(node, "'sinks'", {}));
    if (node.size() > kMaxSinks) {
      return yaml_.wrong(node, fmt::format("there are {} sinks; the limit is {}", node.size(), kMaxSinks));
    }
    for (const auto& member : node) {
      BASCULE_ASSIGN(std::string sink, name(member.first));
      BASCULE_ASSIGN(Channel one, channel(member.second, fmt::format("the sink '{}'", sink), sink_kinds()));
      one.name = std::move(sink);
      out.sinks.push_back(std::move(one));
    }
    return {};
  }

  Result<void> read_outbox(const YAML::Node& node, ApplicationYaml::Outbox& out) const {
    BASCULE_TRY(yaml_.map(node, "'outbox'", {"max_mb", "max_age", "when_full"}));
    if (const YAML::Node most = node["max_mb"]) {
      BASCULE_ASSIGN(const std::int64_t mb, yaml_.integer(most, "'max_mb'", kLeastOutboxMb, 1'000'000));
      out.max_mb = static_cast<std::uint64_t>(mb);
    }
    if (const YAML::Node age = node["max_age"]) {
      BASCULE_ASSIGN(out.max_age_ms, yaml_.duration_ms(age, "'max_age'"));
      if (out.max_age_ms < 1000) return yaml_.wrong(age, "'max_age' must be a second or more");
    }
    if (const YAML::Node full = node["when_full"]) {
      BASCULE_ASSIGN(const std::string policy, yaml_.scalar(full, "'when_full'"));
      out.drop_oldest = policy == "drop_oldest";
      if (!out.drop_oldest && policy != "wait") {
        return yaml_.wrong(full, fmt::format("'when_full' is '{}'; it must be wait or drop_oldest",
                                             text::shortened(policy)));
      }
    }
    return {};
  }

  Result<void> read_rules(const YAML::Node& node, ApplicationYaml& out) const {
    BASCULE_ASSIGN(const YAML::Node list, yaml_.list(node, "'rules'"));
    if (list.size() > kMaxRules) {
      return yaml_.wrong(list, fmt::format("there are {} rules; the limit is {}", list.size(), kMaxRules));
    }
    for (const YAML::Node& item : list) {
      BASCULE_ASSIGN(ApplicationYaml::Rule one, rule(item, out.sinks));
      if (std::ranges::find(out.rules, one.name, &ApplicationYaml::Rule::name) != out.rules.end()) {
        return yaml_.wrong(item, fmt::format("there are two rules '{}'", one.name));
      }
      out.rules.push_back(std::move(one));
    }
    return {};
  }

  Result<ApplicationYaml::Rule> rule(const YAML::Node& node, const std::vector<Channel>& sinks) const {
    BASCULE_TRY(yaml_.map(node, "a rule", {"name", "when", "for", "cooldown", "severity", "sinks"}));
    ApplicationYaml::Rule out;
    BASCULE_TRY(needed(node, "name"));
    BASCULE_ASSIGN(out.name, name(node["name"]));
    BASCULE_ASSIGN(out.when, needed(node, "when"));
    out.place = yaml_.place(node["when"]);
    if (const YAML::Node frames = node["for"]) {
      BASCULE_TRY(read_frames(frames, out));
    }
    if (const YAML::Node cooldown = node["cooldown"]) {
      BASCULE_ASSIGN(out.cooldown_ms, yaml_.duration_ms(cooldown, "'cooldown'"));
    }
    if (const YAML::Node severity = node["severity"]) {
      static constexpr std::array<std::string_view, 3> kSeverities = {"info", "warning", "alert"};
      BASCULE_ASSIGN(out.severity, yaml_.scalar(severity, "'severity'"));
      if (std::ranges::find(kSeverities, out.severity) == kSeverities.end()) {
        return yaml_.wrong(
            severity, fmt::format("'severity' is '{}'; it must be one of {}", text::shortened(out.severity),
                                  fmt::join(kSeverities, ", ")));
      }
    }
    if (const YAML::Node named = node["sinks"]) {
      BASCULE_ASSIGN(const YAML::Node list, yaml_.list(named, "'sinks'"));
      std::vector<std::string> known;
      std::ranges::transform(sinks, std::back_inserter(known), &Channel::name);
      for (const YAML::Node& item : list) {
        BASCULE_ASSIGN(std::string sink, yaml_.scalar(item, "a sink's name"));
        if (std::ranges::find(known, sink) == known.end()) {
          const auto near = text::nearest(sink, known);
          return yaml_.wrong(item, fmt::format("there is no sink '{}'{}", text::shortened(sink),
                                               near ? fmt::format("; did you mean '{}'?", *near) : ""));
        }
        out.sinks.push_back(std::move(sink));
      }
    }
    return out;
  }

  Result<void> read_checkout(const YAML::Node& node, ApplicationYaml& out) const {
    BASCULE_TRY(yaml_.map(node, "'checkout'",
                          {"prices", "currency", "rounding", "taxes", "prices_include_tax", "ask_below",
                           "receipt_head", "count_at"}));
    ApplicationYaml::Checkout& till = out.checkout.emplace(ApplicationYaml::Checkout{});
    till.place = yaml_.place(node);
    BASCULE_ASSIGN(till.prices, needed(node, "prices"));
    BASCULE_TRY(text_of(node, "currency", till.currency));
    BASCULE_TRY(text_of(node, "rounding", till.rounding));
    BASCULE_TRY(text_of(node, "receipt_head", till.receipt_head));
    BASCULE_TRY(text_of(node, "count_at", till.count_at));
    static constexpr std::array<std::string_view, 3> kRoundings = {"half_up", "half_even", "down"};
    if (std::ranges::find(kRoundings, till.rounding) == kRoundings.end()) {
      return yaml_.wrong(node["rounding"],
                         fmt::format("'rounding' is '{}'; it must be one of {}",
                                     text::shortened(till.rounding), fmt::join(kRoundings, ", ")));
    }
    if (const YAML::Node included = node["prices_include_tax"]) {
      BASCULE_ASSIGN(till.prices_include_tax, yaml_.flag(included, "'prices_include_tax'"));
    }
    if (const YAML::Node ask = node["ask_below"]) {
      BASCULE_ASSIGN(till.ask_below, yaml_.number(ask, "'ask_below'", 0, 1));
    }
    if (const YAML::Node taxes = node["taxes"]) {
      BASCULE_TRY(yaml_.map(taxes, "'taxes'", {}));
      for (const auto& member : taxes) {
        ApplicationYaml::Setting tax{.place = yaml_.place(member.second)};
        BASCULE_ASSIGN(const std::string group, name(member.first));
        BASCULE_ASSIGN(tax.text, yaml_.scalar(member.second, fmt::format("the tax of '{}'", group)));
        till.taxes[group] = std::move(tax);
      }
    }
    const bool line = std::ranges::find(out.lines, till.count_at, &Shape::name) != out.lines.end();
    if (till.count_at.empty() || till.count_at == "frame" || line) return {};
    return yaml_.wrong(node["count_at"],
                       fmt::format("'count_at' is '{}'; it must be 'frame' or the name of one of 'lines'",
                                   text::shortened(till.count_at)));
  }

  // Leaves `out` as it is where the key is not there.
  Result<void> text_of(const YAML::Node& node, const std::string& key, std::string& out) const {
    if (!node[key]) return {};
    BASCULE_ASSIGN(out, needed(node, key));
    return {};
  }

  // "3 of 5 frames", "3 frames".
  Result<void> read_frames(const YAML::Node& node, ApplicationYaml::Rule& out) const {
    BASCULE_ASSIGN(const std::string text, yaml_.scalar(node, "'for'"));
    std::vector<std::string_view> words;
    for (std::string_view rest = text::trimmed(text); !rest.empty();) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      words.push_back(rest.substr(0, end));
      rest = text::trimmed(rest.substr(end));
    }
    const bool both = words.size() == 4 && words[1] == "of";
    if ((both || words.size() == 2) && (words.back() == "frames" || words.back() == "frame")) {
      const auto needed_frames = text::parse_int(words[0]);
      const auto of = both ? text::parse_int(words[2]) : needed_frames;
      if (needed_frames && of && *needed_frames >= 1 && *needed_frames <= *of && *of <= kMaxFrames) {
        out.needed = static_cast<std::uint32_t>(*needed_frames);
        out.of = static_cast<std::uint32_t>(*of);
        return {};
      }
    }
    return yaml_.wrong(node, fmt::format("'for' is '{}'; it must be such as '3 of 5 frames', at most of {}",
                                         text::shortened(text), kMaxFrames));
  }

  const YamlFile yaml_;
};

}  // namespace

Result<std::vector<ApplicationYaml>> read_applications(std::string_view yaml, const std::string& file_name) {
  try {
    return Reader(file_name).read(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& error) {
    return invalid_argument(fmt::format("{}:{}: this is not YAML that can be read: {}.", file_name,
                                        error.mark.line + 1, error.msg));
  }
}

}  // namespace bascule::config

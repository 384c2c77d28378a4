#include "applications/day_counts.h"

#include <ctime>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "applications/judge.h"
#include "base/text.h"
#include "content/csv.h"

namespace bascule::applications {
namespace {

constexpr const char* kFrames = "frames";
constexpr const char* kObjects = "objects";
constexpr const char* kEvents = "events";
constexpr const char* kEventsWith = "events_with";

using journal::Tally;

// `"key":` behind whatever came before it.
void append_key(std::string& out, std::string_view key) {
  if (out.back() != '{') out += ',';
  text::append_json_quoted(out, key);
  out += ':';
}

// The counts by label of one kind and rule, as an object.
void append_labels(std::string& out, const std::vector<Tally>& day, std::string_view what,
                   std::string_view whose) {
  out += '{';
  for (const Tally& tally : day) {
    if (tally.what != what || tally.whose != whose) continue;
    append_key(out, tally.label);
    out += std::to_string(tally.count);
  }
  out += '}';
}

void append_day(std::string& out, const std::vector<Tally>& day) {
  std::uint64_t frames = 0;
  for (const Tally& tally : day) {
    if (tally.what == kFrames) frames = tally.count;
  }
  out += R"({"day":)";
  text::append_json_quoted(out, day.front().day);
  fmt::format_to(std::back_inserter(out), R"(,"frames":{},"objects":)", frames);
  append_labels(out, day, kObjects, "");
  out += R"(,"rules":{)";
  for (const Tally& tally : day) {
    if (tally.what != kEvents) continue;
    append_key(out, tally.whose);
    fmt::format_to(std::back_inserter(out), R"({{"events":{},"with":)", tally.count);
    append_labels(out, day, kEventsWith, tally.whose);
    out += '}';
  }
  out += "}}";
}

}  // namespace

std::string local_day(std::int64_t time_ms) {
  const std::time_t seconds = time_ms >= 0 ? time_ms / 1000 : (time_ms - 999) / 1000;
  std::tm local{};
  if (localtime_r(&seconds, &local) == nullptr) return "unknown";
  return fmt::format("{:04}-{:02}-{:02}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
}

void DayCounts::take(const Judged& judged) {
  const std::string day = local_day(judged.scene.time_ms);
  ++count(day, kFrames);
  for (const auto& [name, objects] : judged.new_objects) count(day, kObjects, "", name) += objects;
  std::set<std::string> names;
  for (const SceneObject& object : judged.scene.objects) names.insert(object.name);
  for (const Decided& decided : judged.decided) {
    if (decided.failed) continue;
    ++count(day, kEvents, decided.event.rule);
    for (const std::string& name : names) ++count(day, kEventsWith, decided.event.rule, name);
  }
}

void DayCounts::take(const std::vector<Tally>& tallies) {
  for (const Tally& tally : tallies)
    counts_[{tally.day, tally.what, tally.whose, tally.label}] += tally.count;
}

std::vector<Tally> DayCounts::tallies(std::size_t days) const {
  std::set<std::string> last;
  for (const auto& [key, count] : counts_) {
    last.insert(std::get<0>(key));
    if (last.size() > days) last.erase(last.begin());
  }
  std::vector<Tally> out;
  for (const auto& [key, count] : counts_) {
    const auto& [day, what, whose, label] = key;
    if (!last.contains(day)) continue;
    out.push_back({.day = day, .what = what, .whose = whose, .label = label, .count = count});
  }
  return out;
}

std::string days_json(std::string_view app, const std::vector<Tally>& tallies) {
  std::string out = R"({"app":)";
  text::append_json_quoted(out, app);
  out += R"(,"days":[)";
  std::vector<Tally> day;
  for (std::size_t i = 0; i < tallies.size(); ++i) {
    day.push_back(tallies[i]);
    if (i + 1 < tallies.size() && tallies[i + 1].day == tallies[i].day) continue;
    if (out.back() != '[') out += ',';
    append_day(out, day);
    day.clear();
  }
  out += "]}";
  return out;
}

std::string days_csv(const std::vector<Tally>& tallies) {
  std::string out = "day,what,rule,class,count\r\n";
  for (const Tally& tally : tallies) {
    for (const std::string* field : {&tally.day, &tally.what, &tally.whose, &tally.label}) {
      content::append_csv(out, *field);
      out += ',';
    }
    fmt::format_to(std::back_inserter(out), "{}\r\n", tally.count);
  }
  return out;
}

}  // namespace bascule::applications

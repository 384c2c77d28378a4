#include "runs/report_state.h"

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"
#include "runs/facts.h"

namespace bascule::runs {
namespace {

constexpr std::string_view kOthers = "(others)";
constexpr std::size_t kMaxAnswer = std::size_t{1} << 16U;  // bytes of one that is kept
constexpr std::int64_t kNoTime = -1;

// When the file was written, in seconds since 1970.
std::int64_t time_of(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_mtime) : kNoTime;
}

// Divided downwards, so that steps double into each other below zero, too.
std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Mixes a number so that neighbours are far apart (splitmix64, Steele and others 2014).
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

void append_field(std::string& out, std::string_view value) {
  out += ',';
  text::append_json_quoted(out, value);
}

void append_kept(std::string& out, std::string_view tag, const Kept& kept) {
  out += fmt::format("[\"{}\",{},{}", tag, kept.order, kept.confidence);
  append_field(out, kept.key);
  append_field(out, kept.name);
  append_field(out, kept.answer);
  out += "]\n";
}

void append_timeline(std::string& out, std::string_view tag, const Timeline& line) {
  for (const auto& [step, counts] : line.steps) {
    for (const auto& [name, count] : counts) {
      out += fmt::format("[\"{}\",{},{},{}", tag, line.width, step, count);
      append_field(out, name);
      out += "]\n";
    }
  }
}

// The texts and numbers of a list, as texts; empty where it is none.
std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> out;
  protocol::JsonReader json(line, "the report");
  bool more = false;
  if (!json.begin_array()) return {};
  while (json.next_element(more) && more) {
    protocol::JsonReader::Kind kind{};
    std::string_view value;
    bool integer = false;
    if (!json.peek(kind)) return {};
    const bool read = kind == protocol::JsonReader::Kind::kString ? json.read_string(value)
                                                                  : json.read_number(value, integer);
    if (!read) return {};
    out.emplace_back(value);
  }
  return json.failed() ? std::vector<std::string>{} : out;
}

template <class T>
T number_of(const std::string& field) {
  if constexpr (std::is_same_v<T, double>)
    return text::parse_double(field).value_or(0);
  else
    return static_cast<T>(text::parse_int(field).value_or(0));
}

// A number that does not fit into 63 bits.
std::uint64_t large_of(const std::string& field) {
  std::uint64_t value = 0;
  for (const char c : field) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  return value;
}

}  // namespace

void Timeline::add(std::int64_t at, const std::string& name, std::uint64_t count) {
  steps[floor_div(at, width)][name] += count;
  while (steps.size() > 1 &&
         steps.rbegin()->first - steps.begin()->first >= static_cast<std::int64_t>(kMost)) {
    width *= 2;
    std::map<std::int64_t, std::map<std::string, std::uint64_t>> wider;
    for (const auto& [step, counts] : steps) {
      for (const auto& [one, number] : counts) wider[floor_div(step, 2)][one] += number;
    }
    steps = std::move(wider);
  }
}

void ReportState::count(const std::string& name, double confidence, std::int64_t time) {
  const bool room = names_.size() < kMostNames || names_.contains(name);
  const std::string counted = room ? text::shortened(name, 60) : std::string(kOthers);
  Seen& seen = names_[counted];
  ++seen.count;
  if (confidence >= 0) {
    ++seen.sure;
    seen.sum += confidence;
    ++bins_[std::min(static_cast<std::size_t>(std::max(confidence, 0.0) * kBins), kBins - 1)];
  }
  by_order_.add(static_cast<std::int64_t>(inputs_), counted);
  if (time != kNoTime) by_time_.add(time, counted);
}

void ReportState::keep_worst(Kept kept) {
  if (kept.confidence < 0) return;
  const auto at = std::ranges::upper_bound(worst_, kept.confidence, {}, &Kept::confidence);
  if (worst_.size() == kWorst && at == worst_.end()) return;
  worst_.insert(at, std::move(kept));
  if (worst_.size() > kWorst) worst_.pop_back();
}

void ReportState::keep_sample(Kept kept) {
  const auto at = std::ranges::upper_bound(samples_, kept.order, {}, &Kept::order);
  if (samples_.size() == kSamples && at == samples_.end()) return;
  samples_.insert(at, std::move(kept));
  if (samples_.size() > kSamples) samples_.pop_back();
}

void ReportState::add(const Outcome& outcome) {
  ++inputs_;
  if (!outcome.good) return;
  if (pictures_)
    add_picture(outcome);
  else
    add_row(outcome);
}

void ReportState::add_picture(const Outcome& outcome) {
  const auto facts = picture_facts(outcome.answer);
  if (!facts) return;
  const std::int64_t time = time_of(outcome.key);
  if (facts->objects.empty()) ++without_;
  for (const Fact& object : facts->objects) count(object.name, object.confidence, time);
  Kept kept{.order = mixed(inputs_), .confidence = -1, .key = outcome.key, .name = {}, .answer = {}};
  const auto least = std::ranges::min_element(facts->objects, {}, &Fact::confidence);
  if (least != facts->objects.end()) {
    kept.confidence = least->confidence;
    kept.name = least->name;
  }
  if (facts->results.size() <= kMaxAnswer) {
    kept.answer = fmt::format(R"("shape":[{},{}],"results":{})", facts->height, facts->width, facts->results);
  }
  keep_worst(kept);
  keep_sample(std::move(kept));
}

void ReportState::add_row(const Outcome& outcome) {
  const auto values = row_values(outcome.answer);
  if (!values) return;
  const Fact fact = row_fact(*values);
  if (!fact.name.empty()) count(fact.name, fact.confidence, kNoTime);
  for (const auto& [name, value] : *values) {
    const auto number = name == "value" ? text::parse_double(value) : std::nullopt;
    if (!number) continue;
    const bool first = measured_.count++ == 0;
    measured_.least = first ? *number : std::min(measured_.least, *number);
    measured_.most = first ? *number : std::max(measured_.most, *number);
    measured_.sum += *number;
  }
  keep_worst({.confidence = fact.confidence, .key = outcome.key, .name = fact.name, .answer = {}});
}

std::string ReportState::saved() const {
  std::string out = fmt::format("[\"inputs\",{},{}]\n", inputs_, without_);
  out += fmt::format("[\"measured\",{},{},{},{}]\n", measured_.count, measured_.least, measured_.most,
                     measured_.sum);
  for (const auto& [name, seen] : names_) {
    out += fmt::format("[\"name\",{},{},{}", seen.count, seen.sure, seen.sum);
    append_field(out, name);
    out += "]\n";
  }
  for (std::size_t i = 0; i < kBins; ++i) out += fmt::format("[\"bin\",{},{}]\n", i, bins_[i]);
  append_timeline(out, "time", by_time_);
  append_timeline(out, "order", by_order_);
  for (const Kept& kept : worst_) append_kept(out, "worst", kept);
  for (const Kept& kept : samples_) append_kept(out, "sample", kept);
  return out;
}

Result<void> ReportState::take(const std::vector<std::string>& fields) {
  const std::string tag = fields.empty() ? std::string() : fields[0];
  const std::size_t size = fields.size();
  const auto whole = [&](std::size_t i) { return number_of<std::uint64_t>(fields[i]); };
  const auto real = [&](std::size_t i) { return number_of<double>(fields[i]); };
  if (tag == "inputs" && size == 3) {
    inputs_ = whole(1);
    without_ = whole(2);
  } else if (tag == "measured" && size == 5) {
    measured_ = {.count = whole(1), .least = real(2), .most = real(3), .sum = real(4)};
  } else if (tag == "name" && size == 5) {
    names_[fields[4]] = {.count = whole(1), .sure = whole(2), .sum = real(3)};
  } else if (tag == "bin" && size == 3 && whole(1) < kBins) {
    bins_[whole(1)] = whole(2);
  } else if ((tag == "time" || tag == "order") && size == 5) {
    Timeline& line = tag == "time" ? by_time_ : by_order_;
    line.width = std::max<std::int64_t>(number_of<std::int64_t>(fields[1]), 1);
    line.steps[number_of<std::int64_t>(fields[2])][fields[4]] = whole(3);
  } else if ((tag == "worst" || tag == "sample") && size == 6) {
    (tag == "worst" ? worst_ : samples_)
        .push_back({.order = large_of(fields[1]),
                    .confidence = real(2),
                    .key = fields[3],
                    .name = fields[4],
                    .answer = fields[5]});
  } else {
    return Error{.code = Code::kFailedPrecondition,
                 .message =
                     "What the checkpoint keeps for the report cannot be read; was the run begun by another "
                     "version? --restart begins anew."};
  }
  return {};
}

Result<void> ReportState::restore(std::string_view saved) {
  while (!saved.empty()) {
    const std::size_t end = std::min(saved.find('\n'), saved.size());
    BASCULE_TRY(take(fields_of(saved.substr(0, end))));
    saved.remove_prefix(std::min(end + 1, saved.size()));
  }
  return {};
}

std::vector<Kept> ReportState::samples() const {
  std::vector<Kept> out = samples_;
  std::ranges::sort(out, {}, &Kept::key);
  return out;
}

}  // namespace bascule::runs

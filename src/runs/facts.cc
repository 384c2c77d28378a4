#include "runs/facts.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"

namespace bascule::runs {
namespace {

using protocol::JsonReader;
using Kind = JsonReader::Kind;

// Reads a number into the place of `axis` of corner `name[1]`: "x1", "y3".
bool read_corner(JsonReader& json, std::string_view name, std::vector<std::array<double, 2>>& corners) {
  double value = 0;
  std::string_view token;
  if (!json.read_double(value, token)) return false;
  if (name.size() != 2 || name[1] < '1' || name[1] > '4') return true;
  const auto place = static_cast<std::size_t>(name[1] - '1');
  if (corners.size() <= place) corners.resize(place + 1);
  corners[place][name[0] == 'y' ? 1 : 0] = value;
  return true;
}

bool read_box(JsonReader& json, Fact& fact) {
  std::vector<std::array<double, 2>> corners;
  bool more = false;
  if (!json.begin_object()) return false;
  while (json.next_member(more) && more) {
    const std::string name(json.key());
    if (!read_corner(json, name, corners)) return false;
  }
  if (corners.size() == 2) {
    const auto [from, to] = std::pair(corners[0], corners[1]);
    corners = {from, {to[0], from[1]}, to, {from[0], to[1]}};
  }
  fact.outline = std::move(corners);
  return !json.failed();
}

bool read_object(JsonReader& json, Fact& fact) {
  bool more = false;
  if (!json.begin_object()) return false;
  while (json.next_member(more) && more) {
    const std::string key(json.key());
    std::string_view text;
    double value = 0;
    if (key == "name") {
      if (!json.read_string(text)) return false;
      fact.name = text;
    } else if (key == "class" || key == "confidence") {
      if (!json.read_double(value, text)) return false;
      if (key == "class")
        fact.class_id = static_cast<int>(std::clamp(value, -1.0, 1e6));
      else
        fact.confidence = value;
    } else if (key == "box") {
      if (!read_box(json, fact)) return false;
    } else if (!json.skip_value()) {
      return false;
    }
  }
  return !json.failed();
}

bool read_shape(JsonReader& json, PictureFacts& out) {
  bool more = false;
  std::array<double, 2> sides{};
  std::size_t i = 0;
  if (!json.begin_array()) return false;
  while (json.next_element(more) && more) {
    double value = 0;
    std::string_view token;
    if (!json.read_double(value, token)) return false;
    if (i < 2) sides[i++] = std::clamp(value, 0.0, 1e9);
  }
  out.height = static_cast<std::int64_t>(sides[0]);
  out.width = static_cast<std::int64_t>(sides[1]);
  return !json.failed();
}

bool read_objects(JsonReader& json, PictureFacts& out) {
  bool more = false;
  if (!json.begin_array()) return false;
  while (json.next_element(more) && more) {
    out.objects.emplace_back();
    if (!read_object(json, out.objects.back())) return false;
  }
  return !json.failed();
}

// Goes through an answer's members; `take` reads or skips a value. The braces are added, so that places are
// one further than in the answer.
template <class Take>
Result<void> each_member(std::string_view answer, Take take) {
  const std::string text = fmt::format("{{{}}}", answer);
  JsonReader json(text, "the answer");
  bool more = false;
  bool ok = json.begin_object();
  while (ok && json.next_member(more) && more) {
    const std::string key(json.key());
    ok = take(json, key);
  }
  if (ok && !json.failed() && json.finish()) return {};
  return internal_error(fmt::format("The answer is none that can be read: {}", json.error().message));
}

bool add_values(JsonReader& json, const std::string& name, Values& out);

bool add_members(JsonReader& json, const std::string& name, Values& out) {
  bool more = false;
  if (!json.begin_object()) return false;
  while (json.next_member(more) && more) {
    const std::string key = name + '.' + std::string(json.key());
    if (!add_values(json, key, out)) return false;
  }
  return !json.failed();
}

bool add_elements(JsonReader& json, const std::string& name, Values& out) {
  bool more = false;
  std::size_t i = 0;
  if (!json.begin_array()) return false;
  while (json.next_element(more) && more) {
    if (!add_values(json, fmt::format("{}.{}", name, i++), out)) return false;
  }
  return !json.failed();
}

// NOLINTNEXTLINE(misc-no-recursion): the reader bounds the depth
bool add_values(JsonReader& json, const std::string& name, Values& out) {
  Kind kind{};
  if (!json.peek(kind)) return false;
  if (kind == Kind::kObject) return add_members(json, name, out);
  if (kind == Kind::kArray) return add_elements(json, name, out);
  std::string_view text;
  bool flag = false;
  switch (kind) {
    case Kind::kString:
      if (!json.read_string(text)) return false;
      break;
    case Kind::kNumber:
      if (!json.read_number(text, flag)) return false;
      break;
    case Kind::kBool:
      if (!json.read_bool(flag)) return false;
      text = flag ? "true" : "false";
      break;
    default:
      if (!json.skip_value()) return false;
  }
  out.emplace_back(name, text);
  return true;
}

}  // namespace

Result<PictureFacts> picture_facts(std::string_view answer) {
  PictureFacts out;
  BASCULE_TRY(each_member(answer, [&](JsonReader& json, const std::string& key) {
    if (key == "shape") return read_shape(json, out);
    if (key != "results") return json.skip_value();
    const std::size_t from = json.offset();
    if (!read_objects(json, out)) return false;
    out.results = text::trimmed(answer.substr(from - 1, json.offset() - from));
    return true;
  }));
  return out;
}

Result<Values> row_values(std::string_view answer) {
  Values out;
  BASCULE_TRY(each_member(
      answer, [&](JsonReader& json, const std::string& key) { return add_values(json, key, out); }));
  return out;
}

Fact row_fact(const Values& values) {
  Fact fact;
  for (const auto& [name, value] : values) {
    if (name == "label") fact.name = value;
    const bool chance = name.starts_with("probabilities.");
    const auto number = chance ? text::parse_double(value) : std::nullopt;
    if (!number || *number <= fact.confidence) continue;
    fact.confidence = *number;
  }
  return fact;
}

}  // namespace bascule::runs

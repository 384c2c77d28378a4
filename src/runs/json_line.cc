#include "runs/json_line.h"

#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"

namespace bascule::runs {
namespace {

using protocol::JsonReader;
using Kind = JsonReader::Kind;

constexpr std::string_view kWhat = "the line";

// A member of the line, as it stands there.
struct Member {
  std::string key;
  std::string_view value;
};

std::string_view between(std::string_view line, std::size_t from, std::size_t to) {
  return text::trimmed(line.substr(from, to - from));
}

bool read_id(JsonReader& json, std::string_view line, JsonLine& out) {
  Kind kind{};
  if (!json.peek(kind)) return false;
  if (kind != Kind::kString && kind != Kind::kNumber) {
    return json.fail(invalid_argument("The 'id' of the line is neither text nor a number."));
  }
  const std::size_t start = json.offset();
  if (!json.skip_value()) return false;
  out.id = between(line, start, json.offset());
  return true;
}

bool read_path(JsonReader& json, JsonLine& out) {
  std::string_view path;
  if (!json.read_string(path)) return false;
  if (path.empty()) return json.fail(invalid_argument("The line names a picture without a name."));
  out.picture = path;
  return true;
}

bool names_picture(std::string_view key) { return key == "image" || key == "file" || key == "input"; }

// An object: what is none of ours is a column.
bool read_object(JsonReader& json, std::string_view line, bool pictures, JsonLine& out,
                 std::vector<Member>& columns) {
  bool more = false;
  if (!json.begin_object()) return false;
  while (json.next_member(more) && more) {
    std::string key(json.key());
    const std::size_t start = json.offset();
    if (pictures && names_picture(key)) {
      if (!read_path(json, out)) return false;
    } else if (key == "id") {
      if (!read_id(json, line, out)) return false;
    } else if (!json.skip_value()) {
      return false;
    }
    columns.push_back({.key = std::move(key), .value = between(line, start, json.offset())});
  }
  return !json.failed();
}

std::string row_of(const std::vector<Member>& columns, bool keeps_id) {
  std::string row;
  for (const Member& column : columns) {
    if (column.key == "id" && !keeps_id) continue;
    row += row.empty() ? '{' : ',';
    text::append_json_quoted(row, column.key);
    row += ':';
    row += column.value;
  }
  return row.empty() ? row : row + '}';
}

}  // namespace

Result<JsonLine> read_json_line(std::string_view line, bool pictures, bool keeps_id) {
  BASCULE_TRY(protocol::check_utf8(line, kWhat));
  JsonReader json(line, kWhat);
  JsonLine out;
  std::vector<Member> columns;
  Kind kind{};
  if (!json.peek(kind)) return json.error();
  bool ok = false;
  if (kind == Kind::kObject) {
    ok = read_object(json, line, pictures, out, columns);
    if (!pictures) out.row = row_of(columns, keeps_id);
  } else if (pictures && kind == Kind::kString) {
    ok = read_path(json, out);
  } else {
    out.row = text::trimmed(line);
    ok = json.skip_value();
  }
  if (!ok || !json.finish()) return json.error();
  if (pictures && out.picture.empty()) {
    return invalid_argument(
        "The line names no picture; write {\"image\":\"FILE\"}, with an \"id\" where you like.");
  }
  if (!pictures && out.row.empty()) return invalid_argument("The line has no columns.");
  return out;
}

}  // namespace bascule::runs

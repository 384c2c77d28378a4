#include "protocol/ultralytics/fields.h"

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"
#include "protocol/multipart.h"
#include "protocol/ultralytics/source.h"

namespace bascule::protocol::ultralytics {
namespace {

Error bad_member(std::string_view name, std::string_view rule) {
  return invalid_argument(fmt::format("The member '{}' of the request {}.",
                                      text::escape_controls(text::shortened(name, 40)), rule));
}

// One value that is neither a list nor an object. False: the reader has failed.
bool read_scalar(JsonReader& json, JsonReader::Kind kind, std::string_view name, std::string& out) {
  std::string_view text;
  bool flag = false;
  switch (kind) {
    case JsonReader::Kind::kString:
      if (!json.read_string(text)) return false;
      out = text;
      return true;
    case JsonReader::Kind::kNumber:
      if (!json.read_number(text, flag)) return false;
      out = text;
      return true;
    case JsonReader::Kind::kBool:
      if (!json.read_bool(flag)) return false;
      out = flag ? "true" : "false";
      return true;
    case JsonReader::Kind::kNull: out.clear(); return json.skip_value();
    default: return json.fail(bad_member(name, "must be a text, a number, true or false"));
  }
}

bool read_list(JsonReader& json, std::string_view name, std::string& out) {
  bool more = false;
  std::string item;
  if (!json.begin_array()) return false;
  for (std::size_t count = 0; json.next_element(more) && more; ++count) {
    JsonReader::Kind kind{};
    if (count == kMaxClasses) {
      return json.fail(bad_member(name, fmt::format("has more than {} items, the limit", kMaxClasses)));
    }
    if (!json.peek(kind) || !read_scalar(json, kind, name, item)) return false;
    if (count > 0) out += ',';
    out += item;
  }
  return !json.failed();
}

bool read_source(JsonReader& json, JsonReader::Kind kind, std::string_view name, PredictCall& call) {
  if (kind == JsonReader::Kind::kNull) return json.skip_value();
  if (kind != JsonReader::Kind::kString)
    return json.fail(bad_member(name, "must be a text: base64 or a URL"));
  std::string_view text;
  if (!json.read_string(text)) return false;
  if (auto taken = take_source(text, name, call); !taken) return json.fail(std::move(taken).error());
  return true;
}

bool read_member(JsonReader& json, std::vector<Field>& fields, PredictCall& call) {
  const std::string name(json.key());
  JsonReader::Kind kind{};
  if (!json.peek(kind)) return false;
  if (name == "source" || name == "image") return read_source(json, kind, name, call);
  if (fields.size() == kMaxParts) {
    return json.fail(bad_member(name, fmt::format("is one too many: the limit is {}", kMaxParts)));
  }
  std::string value;
  const bool read =
      kind == JsonReader::Kind::kArray ? read_list(json, name, value) : read_scalar(json, kind, name, value);
  if (read) fields.push_back({.name = name, .value = std::move(value)});
  return read;
}

}  // namespace

Result<void> read_json_fields(std::string_view text, std::vector<Field>& fields, PredictCall& call) {
  BASCULE_TRY(check_utf8(text, "the request body"));
  JsonReader json(text, "the request body");
  bool more = false;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    if (!read_member(json, fields, call)) return json.error();
  }
  if (json.failed() || !json.finish()) return json.error();
  return {};
}

}  // namespace bascule::protocol::ultralytics

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/compression.h"
#include "config/option.h"
#include "protocol/base64.h"
#include "protocol/json_reader.h"
#include "protocol/percent.h"
#include "targets.h"
#include "tasks/model_metadata.h"
#include "tasks/python_literal.h"

namespace bascule::fuzz {
namespace {

// Reads a value of any kind, or walks over it, whichever its own bytes say.
bool read_any(protocol::JsonReader& json);

bool read_members(protocol::JsonReader& json) {
  bool more = false;
  if (!json.begin_object()) return false;
  while (json.next_member(more) && more) {
    if (json.key().size() % 3 == 0 ? !json.skip_value() : !read_any(json)) return false;
  }
  return !json.failed();
}

bool read_elements(protocol::JsonReader& json) {
  bool more = false;
  if (!json.begin_array()) return false;
  while (json.next_element(more) && more) {
    if (!read_any(json)) return false;
  }
  return !json.failed();
}

bool read_any(protocol::JsonReader& json) {
  using enum protocol::JsonReader::Kind;
  protocol::JsonReader::Kind kind{};
  std::string_view text;
  bool flag = false;
  double number = 0;
  if (!json.peek(kind)) return false;
  switch (kind) {
    case kObject: return read_members(json);
    case kArray: return read_elements(json);
    case kString: return json.read_string(text);
    case kNumber: return json.read_double(number, text);
    case kBool: return json.read_bool(flag);
    case kNull: return json.skip_value();
  }
  return false;
}

// Against another parser: both take a text, or neither. Ours alone stops at a depth, the other alone at
// numbers that are too large for a double.
bool json(Bytes bytes) {
  const std::string_view text = text_of(bytes);
  protocol::JsonReader reader(text, "the text");
  const bool ours = protocol::check_utf8(text, "the text").has_value() && read_any(reader) && reader.finish();
  if (text.contains('\0')) return true;
  const bool theirs = nlohmann::json::accept(text);
  if (theirs && !ours) BASCULE_CHECK(reader.failed() && reader.error().message.contains("100"));
  if (ours && !theirs) BASCULE_CHECK(text.find_first_of("0123456789") != std::string_view::npos);
  if (reader.failed()) check_refusal(reader.error());
  return true;
}

bool base64(Bytes bytes) {
  const auto decoded = protocol::decode_base64(text_of(bytes));
  if (!decoded) return true;
  std::string again;
  protocol::append_base64(again, std::as_bytes(std::span(*decoded)));
  BASCULE_CHECK(again == text_of(bytes));
  return true;
}

bool percent(Bytes bytes) {
  const std::string_view text = text_of(bytes);
  BASCULE_CHECK(protocol::percent_decoded(text, true).size() <= text.size());
  const auto pairs = protocol::parse_query(text);
  if (!pairs) check_refusal(pairs.error());
  return true;
}

bool python(Bytes bytes) {
  const std::string text(text_of(bytes));
  const auto value = tasks::parse_python_literal(text);
  if (!value) check_refusal(value.error());
  const std::map<std::string, std::string> pairs = {{"names", text}, {"imgsz", text},  {"kpt_shape", text},
                                                    {"args", text},  {"stride", text}, {"task", text}};
  const auto metadata = tasks::read_model_metadata(pairs);
  BASCULE_CHECK(metadata.stride >= 0);
  (void)tasks::write_python_dict(pairs);
  return true;
}

bool inflate(Bytes bytes) {
  const Choice choice = choose(bytes, 2);
  constexpr std::size_t kLimit = 1U << 18;
  const auto out =
      decompress(choice.rest, choice.which == 0 ? Compression::kGzip : Compression::kDeflate, kLimit);
  if (!out) {
    check_refusal(out.error());
  } else {
    BASCULE_CHECK(out->size() <= kLimit);
  }
  return true;
}

constexpr Target kTargets[] = {
    {"json", json, 4096},     {"base64", base64, 1024},   {"percent", percent, 1024},
    {"python", python, 4096}, {"inflate", inflate, 4096},
};

}  // namespace

std::span<const Target> text_targets() { return kTargets; }

}  // namespace bascule::fuzz

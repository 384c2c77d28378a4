#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "protocol/multipart.h"
#include "protocol/percent.h"
#include "protocol/ultralytics/fields.h"
#include "protocol/ultralytics/source.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {
namespace {

const std::vector<std::string>& known_fields() {
  static const std::vector<std::string> fields = {"file",  "source",    "conf",     "iou",
                                                  "imgsz", "normalize", "decimals", "vid_stride",
                                                  "bits",  "classes",   "max_det"};
  return fields;
}

constexpr std::size_t kMaxClasses = 1000;

// What a caller of this dialect means by a field's name.
std::string meaning_of(std::string_view name, Dialect dialect) {
  if (dialect == Dialect::kHubFirst) {
    if (name == "image") return "file";
    if (name == "size") return "imgsz";
    if (name == "confidence") return "conf";
    if (name == "url") return "source";
  }
  return std::string(name);
}

Error bad_field(std::string_view name, std::string_view value, std::string_view rule) {
  Error error = invalid_argument(
      fmt::format("Field '{}' is '{}'; {}.", name, text::escape_controls(text::shortened(value, 40)), rule),
      Reason::kValueOutOfRange);
  error.fields.name = name;
  error.fields.got = value;
  return error;
}

Result<double> number(const Field& field, double low, double high) {
  const std::optional<double> value = text::parse_double(text::trimmed(field.value));
  if (value && *value >= low && *value <= high) return *value;
  return bad_field(field.name, field.value, fmt::format("it must be a number from {} to {}", low, high));
}

Result<int> whole(const Field& field, int low, int high) {
  const std::optional<double> value = text::parse_double(text::trimmed(field.value));
  if (value && *value >= low && *value <= high && std::floor(*value) == *value)
    return static_cast<int>(*value);
  return bad_field(field.name, field.value,
                   fmt::format("it must be a whole number from {} to {}", low, high));
}

Result<bool> flag(const Field& field) {
  const std::string value = text::to_lower(text::trimmed(field.value));
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  return bad_field(field.name, field.value, "it must be true or false");
}

// "640", "480,640" and "[480, 640]": height first.
Result<content::PictureSize> picture_size(const Field& field) {
  std::string_view value = text::trimmed(field.value);
  if (value.size() >= 2 &&
      ((value.front() == '[' && value.back() == ']') || (value.front() == '(' && value.back() == ')'))) {
    value = value.substr(1, value.size() - 2);
  }
  const std::size_t comma = value.find(',');
  const auto side = [&](std::string_view part) -> Result<int> {
    Result<int> size = whole({.name = field.name, .value = std::string(part)}, 32, 1280);
    if (size) return size;
    return bad_field(field.name, field.value,
                     "it must be a whole number from 32 to 1280, or a height and a width as \"480,640\"");
  };
  BASCULE_ASSIGN(const int height, side(value.substr(0, comma)));
  if (comma == std::string_view::npos) return content::PictureSize{.height = height, .width = height};
  BASCULE_ASSIGN(const int width, side(value.substr(comma + 1)));
  return content::PictureSize{.height = height, .width = width};
}

// "0,2" and "[0, 2]", given once or more often.
Result<std::vector<int>> class_numbers(const Field& field) {
  std::string text = field.value;
  std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
  std::string_view value = text;
  std::vector<int> out;
  while (true) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const Result<int> number =
        whole({.name = field.name, .value = std::string(value.substr(0, comma))}, 0, 1'000'000);
    if (!number || out.size() == kMaxClasses) {
      return bad_field(field.name, field.value,
                       fmt::format("it must be at most {} numbers of classes as \"0,2\"", kMaxClasses));
    }
    out.push_back(*number);
    if (comma == value.size()) return out;
    value.remove_prefix(comma + 1);
  }
}

Result<void> apply(const Field& field, PredictCall& call) {
  if (field.meaning == "conf") {
    BASCULE_ASSIGN(call.request.options.confidence, number(field, 0.01, 1.0));
  } else if (field.meaning == "iou") {
    BASCULE_ASSIGN(call.request.options.iou, number(field, 0.0, 0.95));
  } else if (field.meaning == "imgsz") {
    BASCULE_ASSIGN(call.request.options.size, picture_size(field));
  } else if (field.meaning == "normalize") {
    BASCULE_ASSIGN(call.style.normalize, flag(field));
  } else if (field.meaning == "decimals") {
    BASCULE_ASSIGN(call.style.decimals, whole(field, 0, 10));
  } else if (field.meaning == "vid_stride") {
    BASCULE_ASSIGN(call.video_stride, whole(field, 1, 1'000'000));  // of no meaning for a picture
  } else if (field.meaning == "bits") {
    BASCULE_ASSIGN(const int bits, whole(field, 8, 16));
    if (bits != 8 && bits != 12 && bits != 16)
      return bad_field(field.name, field.value, "it must be 8, 12 or 16");
    call.request.options.depth_bits = bits;
  } else if (field.meaning == "classes") {
    BASCULE_ASSIGN(call.request.options.classes, class_numbers(field));
  } else if (field.meaning == "max_det") {
    BASCULE_ASSIGN(call.request.options.max_detections, whole(field, 1, 1000));
  }
  return {};
}

Error unknown_field(std::string_view name) {
  const std::string shown = text::escape_controls(text::shortened(name, 40));
  if (const auto near = text::nearest(text::shortened(name, 40), known_fields())) {
    return invalid_argument(fmt::format("Unknown field '{}'; did you mean '{}'?", shown, *near));
  }
  return invalid_argument(
      fmt::format("Unknown field '{}'; known are {}.", shown, fmt::join(known_fields(), ", ")));
}

// HUB's callers name the model by its page: https://hub.ultralytics.com/models/ID.
Result<void> take_model(std::string_view value, PredictCall& call) {
  if (!call.request.model.empty()) return invalid_argument("Field 'model' is given twice.");
  std::string_view name = text::trimmed(value);
  name = name.substr(0, name.find_first_of("?#"));
  while (name.ends_with('/')) name.remove_suffix(1);
  if (const std::size_t slash = name.rfind('/'); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  call.request.model = name;
  return {};
}

// Reads all fields; a repeated `imgsz` or `classes` is how some clients send a list.
Result<void> apply_all(std::vector<Field> fields, PredictCall& call) {
  std::vector<Field> merged;
  for (Field& field : fields) {
    field.meaning = meaning_of(field.name, call.style.dialect);
    if (field.meaning == "model" && call.style.dialect == Dialect::kHub) {
      BASCULE_TRY(take_model(field.value, call));
      continue;
    }
    if (std::ranges::find(known_fields(), field.meaning) == known_fields().end())
      return unknown_field(field.name);
    if (field.meaning == "source") {
      BASCULE_TRY(take_source(field.value, field.name, call));
      continue;
    }
    if (field.meaning == "file") {
      return invalid_argument(
          fmt::format("Field '{}' must be a part of a multipart/form-data body.", field.name));
    }
    const auto before = std::ranges::find(merged, field.meaning, &Field::meaning);
    if (before == merged.end()) {
      merged.push_back(std::move(field));
    } else if (field.meaning == "classes" ||
               (field.meaning == "imgsz" && before->value.find(',') == std::string::npos)) {
      before->value += "," + field.value;
    } else {
      return invalid_argument(fmt::format("Field '{}' is given twice.", field.name));
    }
  }
  for (const Field& field : merged) {
    if (text::trimmed(field.value).empty()) continue;  // how clients send "none": the default
    BASCULE_TRY(apply(field, call));
  }
  return {};
}

Error no_file() {
  return invalid_argument(
      "The request has no picture; send it as the part 'file' of a multipart/form-data body, as the body "
      "itself, or as base64 text or a URL in the field 'source'.",
      Reason::kBadPicture);
}

Result<void> read_multipart(const RequestBody& body, std::string_view content_type,
                            std::vector<Field>& fields, PredictCall& call) {
  BASCULE_ASSIGN(const std::string boundary, multipart_boundary(content_type));
  BASCULE_ASSIGN(const std::vector<Part> parts, parse_multipart(body.bytes, boundary));
  for (const Part& part : parts) {
    const std::string meaning = meaning_of(part.name, call.style.dialect);
    const std::string_view value(reinterpret_cast<const char*>(part.bytes.data()), part.bytes.size());
    if (meaning == "file") {
      BASCULE_TRY(take_picture(
          {.bytes = part.bytes, .owner = body.owner, .name = part.file_name, .media_type = part.content_type},
          call));
    } else if (meaning == "source") {  // where it lies: it may be as long as a picture
      BASCULE_TRY(take_source(value, part.name, call));
    } else {
      fields.push_back({.name = part.name, .value = std::string(value)});
    }
  }
  return {};
}

}  // namespace

Result<PredictCall> parse_predict(const RequestBody& body, std::string_view content_type,
                                  std::string_view query, Dialect dialect) {
  PredictCall call{.style = {.dialect = dialect}};
  call.request.dialect = "ultralytics";
  if (dialect != Dialect::kUltralytics) call.request.options.iou = 0.45;  // the default of both
  std::vector<Field> fields;
  const auto add_pairs = [&](std::string_view text) -> Result<void> {
    BASCULE_ASSIGN(auto pairs, parse_query(text));
    for (auto& [name, value] : pairs) fields.push_back({.name = std::move(name), .value = std::move(value)});
    return {};
  };
  BASCULE_TRY(add_pairs(query));
  const std::string media = text::to_lower(
      text::trimmed(content_type.substr(0, std::min(content_type.find(';'), content_type.size()))));
  const std::string_view bytes(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  if (media == "multipart/form-data") {
    BASCULE_TRY(read_multipart(body, content_type, fields, call));
  } else if (media == "application/x-www-form-urlencoded" && !looks_like_file(bytes)) {
    // curl --data-binary names this type for anything: pictures go on below.
    BASCULE_TRY(add_pairs(bytes));
  } else if (media == "application/json") {
    BASCULE_TRY(read_json_fields(bytes, fields, call));
  } else if (media.empty() || media.starts_with("image/") || media.starts_with("video/") ||
             media == "application/octet-stream" || media == "application/x-www-form-urlencoded") {
    if (body.bytes.empty()) {
      BASCULE_TRY(apply_all(std::move(fields), call));
      return no_file();
    }
    BASCULE_TRY(take_picture({.bytes = body.bytes, .owner = body.owner, .media_type = media}, call));
  } else {
    return invalid_argument(fmt::format(
        "The Content-Type '{}' is not understood here; send multipart/form-data with the part 'file', "
        "the bytes of a picture as image/* or application/octet-stream, or application/json with the member "
        "'source'.",
        text::escape_controls(text::shortened(media))));
  }
  BASCULE_TRY(apply_all(std::move(fields), call));
  if (!has_picture(call)) return no_file();
  return call;
}

}  // namespace bascule::protocol::ultralytics

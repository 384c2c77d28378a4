#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {
namespace {

void append_box(std::string& out, const content::Box& box, const content::PictureSize& picture,
                const Style& style) {
  const double width = style.normalize ? picture.width : 1;
  const double height = style.normalize ? picture.height : 1;
  const auto side = [&](std::string_view head, double value) {
    out += head;
    append_rounded(out, value, style.decimals);
  };
  side(R"({"x1":)", box.x1 / width);
  side(R"(,"y1":)", box.y1 / height);
  side(R"(,"x2":)", box.x2 / width);
  side(R"(,"y2":)", box.y2 / height);
  out += '}';
}

void append_time(std::string& out, std::string_view head, double value, int decimals) {
  out += head;
  append_rounded(out, value, decimals);
}

void append_metadata(std::string& out, const content::ModelInfo& model, const CallTimes& times) {
  out += R"("metadata":{"imageCount":1)";
  append_time(out, R"(,"functionTimeCall":)", to_seconds(times.call), 6);
  append_time(out, R"(,"functionTimeAlive":)", to_seconds(times.alive), 6);
  out += R"(,"model":)";
  text::append_json_quoted(out, model.file);
  out += R"(,"task":)";
  if (model.task.empty()) {
    out += "null";
  } else {
    text::append_json_quoted(out, model.task);
  }
  out += R"(,"version":{"bascule":)";
  text::append_json_quoted(out, BASCULE_VERSION);
  if (!model.author_version.empty()) {
    out += R"(,"ultralytics":)";
    text::append_json_quoted(out, model.author_version);
  }
  out += "}}";
}

}  // namespace

namespace {

std::string name_of(int class_id, const content::ClassNames& names) {
  const auto name = names.find(class_id);
  return name != names.end() ? name->second : fmt::format("class{}", class_id);
}

// The rows of HUB's first call. Its clients of YOLOv5's time read centre and size, those of YOLOv8's the box.
void append_first_hub(std::string& out, const content::Detections& detections,
                      const content::ClassNames& names, const Style& style) {
  Style parts = style;
  parts.normalize = true;
  out += R"({"success":true,"message":"Inference complete.","data":[)";
  for (std::size_t i = 0; i < detections.rows.size(); ++i) {
    const content::Detection& row = detections.rows[i];
    const double width = detections.picture.width;
    const double height = detections.picture.height;
    const auto part = [&](std::string_view head, double value) {
      out += head;
      append_rounded(out, value, style.decimals);
    };
    out += i == 0 ? R"({"class":)" : R"(,{"class":)";
    append_number(out, std::int64_t{row.class_id});
    out += R"(,"name":)";
    text::append_json_quoted(out, name_of(row.class_id, names));
    part(R"(,"confidence":)", row.confidence);
    part(R"(,"xcenter":)", (row.box.x1 + row.box.x2) / 2.0 / width);
    part(R"(,"ycenter":)", (row.box.y1 + row.box.y2) / 2.0 / height);
    part(R"(,"width":)", (row.box.x2 - row.box.x1) / width);
    part(R"(,"height":)", (row.box.y2 - row.box.y1) / height);
    out += R"(,"box":)";
    append_box(out, row.box, detections.picture, parts);
    out += '}';
  }
  out += "]}";
}

}  // namespace

void append_results(std::string& out, const content::Prediction& prediction, const content::ClassNames& names,
                    const Style& style) {
  const auto& detections = std::get<content::Detections>(prediction);
  out += '[';
  bool first = true;
  for (const content::Detection& row : detections.rows) {
    out += first ? R"({"name":)" : R"(,{"name":)";
    first = false;
    text::append_json_quoted(out, name_of(row.class_id, names));
    out += R"(,"class":)";
    append_number(out, std::int64_t{row.class_id});
    out += R"(,"confidence":)";
    append_rounded(out, row.confidence, style.decimals);
    out += R"(,"box":)";
    append_box(out, row.box, detections.picture, style);
    out += '}';
  }
  out += ']';
}

std::string write_health(const Result<void>& ready, Duration took) {
  std::string out = ready ? R"({"healthy":true,"status":200)" : R"({"healthy":false,"status":503)";
  append_time(out, R"(,"latencyMs":)", to_ms(took), 3);
  if (!ready) {
    out += R"(,"error":)";
    text::append_json_quoted(out, ready.error().message);
  }
  out += '}';
  return out;
}

Result<ReplyBody> write_predict(const content::InferResponse& response, const Style& style,
                                const CallTimes& times) {
  if (!response.prediction || response.model == nullptr) {
    return internal_error("The model answered with tensors, but the predict call needs a prediction.");
  }
  const auto& detections = std::get<content::Detections>(*response.prediction);
  ReplyBody reply;
  std::string& out = reply.head;
  if (style.dialect == Dialect::kHubFirst) {
    append_first_hub(out, detections, response.model->class_names, style);
    return reply;
  }
  out.reserve(512 + detections.rows.size() * 160);
  out += R"({"images":[{"shape":[)";
  append_number(out, std::int64_t{detections.picture.height});
  out += ',';
  append_number(out, std::int64_t{detections.picture.width});
  append_time(out, R"(],"speed":{"preprocess":)", to_ms(response.stages.prepare), 3);
  append_time(out, R"(,"inference":)", to_ms(response.stages.run), 3);
  append_time(out, R"(,"postprocess":)", to_ms(response.stages.finish), 3);
  out += R"(},"results":)";
  append_results(out, *response.prediction, response.model->class_names, style);
  out += "}],";
  append_metadata(out, *response.model, times);
  out += '}';
  return reply;
}

}  // namespace bascule::protocol::ultralytics

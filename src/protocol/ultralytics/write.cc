#include <array>
#include <utility>
#include <variant>

#include "base/text.h"
#include "protocol/base64.h"
#include "protocol/json.h"
#include "protocol/results.h"
#include "protocol/results_numbers.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {
namespace {

NumberStyle numbers_of(const Style& style) {
  return {.normalize = style.normalize, .decimals = style.decimals};
}

void append_time(std::string& out, std::string_view head, double value, int decimals) {
  out += head;
  append_rounded(out, value, decimals);
}

void append_metadata(std::string& out, const content::ModelInfo& model, std::size_t images,
                     const CallTimes& times) {
  out += R"("metadata":{"imageCount":)";
  append_number(out, static_cast<std::uint64_t>(images));
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

// The rows of HUB's first call. Its clients of YOLOv5's time read centre and size, those of YOLOv8's the box.
void append_first_hub(std::string& out, const content::Prediction& prediction,
                      const content::ClassNames& names, const Style& style) {
  out += R"({"success":true,"message":"Inference complete.","data":[)";
  if (const auto* detections = std::get_if<content::Detections>(&prediction)) {
    const Numbers numbers(out, detections->picture, {.normalize = true, .decimals = style.decimals});
    for (bool first = true; const content::Detection& row : detections->rows) {
      append_name(out, std::exchange(first, false), row.class_id, names);
      numbers.plain(R"(,"confidence":)", row.confidence);
      numbers.across(R"(,"xcenter":)", (row.box.x1 + row.box.x2) / 2.0);
      numbers.down(R"(,"ycenter":)", (row.box.y1 + row.box.y2) / 2.0);
      numbers.across(R"(,"width":)", row.box.x2 - row.box.x1);
      numbers.down(R"(,"height":)", row.box.y2 - row.box.y1);
      out += R"(,"box":)";
      numbers.box(row.box);
      out += '}';
    }
  } else if (const auto* classes = std::get_if<content::Classification>(&prediction)) {
    const Numbers numbers(out, classes->picture, numbers_of(style));
    for (bool first = true; const content::RankedClass& row : classes->best) {
      append_name(out, std::exchange(first, false), row.class_id, names);
      numbers.plain(R"(,"confidence":)", row.confidence);
      out += '}';
    }
  }
  out += "]}";
}

void append_png(std::string& out, std::string_view head, const content::PictureSize& picture,
                std::span<const std::byte> png) {
  out += head;
  append_number(out, std::int64_t{picture.height});
  out += ',';
  append_number(out, std::int64_t{picture.width});
  out += R"(],"encoding":"png","data":")";
  append_base64(out, png);
  out += '"';
}

// What a prediction says of every pixel, after the "results".
void append_maps(std::string& out, const content::Prediction& prediction, const Style& style) {
  if (const auto* classes = std::get_if<content::ClassMap>(&prediction)) {
    append_png(out, R"(,"semantic_mask":{"shape":[)", classes->picture, classes->png);
    out += '}';
  } else if (const auto* depth = std::get_if<content::DepthMap>(&prediction)) {
    append_png(out, R"(,"depth":{"shape":[)", depth->picture, depth->png);
    const Numbers numbers(out, depth->picture, numbers_of(style));
    numbers.plain(R"(,"min":)", depth->nearest);
    numbers.plain(R"(,"max":)", depth->farthest);
    out += R"(,"bits":)";
    append_number(out, std::int64_t{depth->bits});
    out += '}';
  }
}

}  // namespace

void append_image(std::string& out, const content::InferResponse& response, const Style& style) {
  const content::Prediction& prediction = *response.prediction;
  const content::PictureSize picture = content::picture_of(prediction);
  out += R"("shape":[)";
  append_number(out, std::int64_t{picture.height});
  out += ',';
  append_number(out, std::int64_t{picture.width});
  out += ']';
  if (style.speed) {
    append_time(out, R"(,"speed":{"preprocess":)", to_ms(response.stages.prepare), 3);
    append_time(out, R"(,"inference":)", to_ms(response.stages.run), 3);
    append_time(out, R"(,"postprocess":)", to_ms(response.stages.finish), 3);
    out += '}';
  }
  out += R"(,"results":[)";
  append_results(out, prediction, response.model->class_names, numbers_of(style));
  out += ']';
  append_maps(out, prediction, style);
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

std::string begin_frames() { return R"({"images":[)"; }

void append_frame(std::string& out, const content::InferResponse& response, const Style& style, bool first) {
  out += first ? "{" : ",{";
  append_image(out, response, style);
  out += '}';
}

void end_frames(std::string& out, const content::ModelInfo& model, std::size_t frames,
                const CallTimes& times) {
  out += "],";
  append_metadata(out, model, frames, times);
  out += '}';
}

std::string frame_line(const content::InferResponse& response, const Style& style) {
  std::string out;
  append_frame(out, response, style, true);
  out += '\n';
  return out;
}

std::string metadata_line(const content::ModelInfo& model, std::size_t frames, const CallTimes& times) {
  std::string out = "{";
  append_metadata(out, model, frames, times);
  out += "}\n";
  return out;
}

Result<ReplyBody> write_predict(const content::InferResponse& response, const Style& style,
                                const CallTimes& times) {
  if (!response.prediction || response.model == nullptr) {
    return internal_error("The model answered with tensors, but the predict call needs a prediction.");
  }
  ReplyBody reply;
  std::string& out = reply.head;
  if (style.dialect == Dialect::kHubFirst) {
    append_first_hub(out, *response.prediction, response.model->class_names, style);
    return reply;
  }
  out += R"({"images":[{)";
  append_image(out, response, style);
  out += "}],";
  append_metadata(out, *response.model, 1, times);
  out += '}';
  return reply;
}

}  // namespace bascule::protocol::ultralytics

#include <array>
#include <utility>
#include <variant>

#include "base/text.h"
#include "protocol/base64.h"
#include "protocol/json.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::protocol::ultralytics {
namespace {

// Numbers as the caller wants them: rounded, and lengths as parts of the picture where that was asked for.
class Numbers {
 public:
  Numbers(std::string& out, const content::PictureSize& picture, const Style& style)
      : out_(out),
        width_(style.normalize ? picture.width : 1),
        height_(style.normalize ? picture.height : 1),
        decimals_(style.decimals) {}

  void plain(std::string_view head, double value) const {
    out_ += head;
    append_rounded(out_, value, decimals_);
  }
  void across(std::string_view head, double x) const { plain(head, x / width_); }
  void down(std::string_view head, double y) const { plain(head, y / height_); }

  void box(const content::Box& box) const {
    across(R"({"x1":)", box.x1);
    down(R"(,"y1":)", box.y1);
    across(R"(,"x2":)", box.x2);
    down(R"(,"y2":)", box.y2);
    out_ += '}';
  }

  void corners(const std::array<content::Point, 4>& corners) const {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kHeads = {
        {{R"({"x1":)", R"(,"y1":)"},
         {R"(,"x2":)", R"(,"y2":)"},
         {R"(,"x3":)", R"(,"y3":)"},
         {R"(,"x4":)", R"(,"y4":)"}}};
    for (std::size_t i = 0; i < corners.size(); ++i) {
      across(kHeads[i].first, corners[i].x);
      down(kHeads[i].second, corners[i].y);
    }
    out_ += '}';
  }

  // `"x":[…],"y":[…]`; `point_of` gives the point of an item.
  template <class Items, class PointOf>
  void points(const Items& items, PointOf point_of) const {
    out_ += R"("x":[)";
    for (bool first = true; const auto& item : items)
      across(std::exchange(first, false) ? "" : ",", point_of(item).x);
    out_ += R"(],"y":[)";
    for (bool first = true; const auto& item : items)
      down(std::exchange(first, false) ? "" : ",", point_of(item).y);
    out_ += ']';
  }

  void keypoints(const std::vector<content::Keypoint>& keypoints, bool tells_visible) const {
    out_ += R"(,"keypoints":{)";
    points(keypoints, [](const content::Keypoint& one) { return one.at; });
    if (tells_visible) {
      out_ += R"(,"visible":[)";
      for (bool first = true; const content::Keypoint& one : keypoints) {
        plain(std::exchange(first, false) ? "" : ",", one.visible);
      }
      out_ += ']';
    }
    out_ += '}';
  }

  void outline(const std::vector<content::Point>& outline) const {
    out_ += R"(,"segments":{)";
    points(outline, [](const content::Point& one) { return one; });
    out_ += '}';
  }

 private:
  std::string& out_;
  const double width_;
  const double height_;
  const int decimals_;
};

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

// How every row begins.
void append_name(std::string& out, bool first, int class_id, const content::ClassNames& names) {
  out += first ? R"({"name":)" : R"(,{"name":)";
  text::append_json_quoted(out, content::name_of(class_id, names));
  out += R"(,"class":)";
  append_number(out, std::int64_t{class_id});
}

// The rows of HUB's first call. Its clients of YOLOv5's time read centre and size, those of YOLOv8's the box.
void append_first_hub(std::string& out, const content::Prediction& prediction,
                      const content::ClassNames& names, const Style& style) {
  out += R"({"success":true,"message":"Inference complete.","data":[)";
  if (const auto* detections = std::get_if<content::Detections>(&prediction)) {
    Style parts = style;
    parts.normalize = true;
    const Numbers numbers(out, detections->picture, parts);
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
    const Numbers numbers(out, classes->picture, style);
    for (bool first = true; const content::RankedClass& row : classes->best) {
      append_name(out, std::exchange(first, false), row.class_id, names);
      numbers.plain(R"(,"confidence":)", row.confidence);
      out += '}';
    }
  }
  out += "]}";
}

// The items of "results", one writer for each kind of prediction.
struct Rows {
  std::string& out;
  const content::ClassNames& names;
  const Style& style;

  void operator()(const content::Detections& found) const {
    const Numbers numbers(out, found.picture, style);
    for (std::size_t i = 0; i < found.rows.size(); ++i) {
      const content::Detection& row = found.rows[i];
      append_name(out, i == 0, row.class_id, names);
      numbers.plain(R"(,"confidence":)", row.confidence);
      out += R"(,"box":)";
      if (found.corners.empty()) {
        numbers.box(row.box);
      } else {
        numbers.corners(found.corners[i]);
      }
      if (!found.outlines.empty()) numbers.outline(found.outlines[i]);
      if (!found.keypoints.empty()) numbers.keypoints(found.keypoints[i], found.tells_visible);
      out += '}';
    }
  }

  void operator()(const content::Classification& found) const {
    const Numbers numbers(out, found.picture, style);
    for (bool first = true; const content::RankedClass& row : found.best) {
      append_name(out, std::exchange(first, false), row.class_id, names);
      numbers.plain(R"(,"confidence":)", row.confidence);
      out += '}';
    }
  }

  void operator()(const content::ClassMap& map) const {
    const Numbers numbers(out, map.picture, style);
    bool first = true;
    for (const content::ClassMap::Share& share : map.shares) {
      const auto class_id = content::class_of(share, names);
      if (!class_id) continue;
      append_name(out, std::exchange(first, false), *class_id, names);
      numbers.plain(R"(,"pixel_ratio":)", share.of_pixels);
      out += '}';
    }
  }

  void operator()(const content::DepthMap& /*has no objects*/) const {}
};

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
    const Numbers numbers(out, depth->picture, style);
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
  std::visit(Rows{out, response.model->class_names, style}, prediction);
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

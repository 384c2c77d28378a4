#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "content/infer.h"
#include "protocol/body.h"

// The predict call of the Ultralytics Platform (`PredictResponse` of its OpenAPI file, sdk 0.1.x), and the
// two that came before it, of Ultralytics HUB (docs.ultralytics.com/hub/inference-api).
namespace bascule::protocol::ultralytics {

// How the caller wants the numbers.
struct Style {
  bool normalize = false;  // boxes as parts of the picture's width and height
  int decimals = 5;        // 0 to 10
  bool speed = true;       // how long it took; without it, answers are alike that say the same
  Dialect dialect = Dialect::kUltralytics;
};

// A video as it came in; not trusted. `owner` keeps `bytes` alive.
// Thread-safety: immutable.
struct VideoFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::string name;  // for messages; may be empty
};

struct PredictCall {
  content::InferRequest request;  // model: from the form where the dialect names it there, else empty
  Style style;
  std::string url;  // where the picture is to be fetched from, then given to take_fetched; empty: it came
  std::optional<VideoFile> video;  // in place of the request's picture
  int video_stride = 1;            // every so many-th frame of it
};

// A multipart/form-data body with `file` and fields, or the bytes of a picture (image/*,
// application/octet-stream or no Content-Type at all) with fields in the query string. Fields: conf (0.01 to
// 1), iou (0 to 0.95), imgsz (32 to 1280, or "h,w"), normalize, decimals (0 to 10), bits (8, 12 or 16), and
// of the reference package classes ("0,2") and max_det (1 to 1,000); unknown fields and values out of range
// are errors with the value and the limit. In place of `file` there may be `source`: base64 text, a data URL
// or a URL. application/json has the same fields as members, `source` or `image` among them. A video may come
// in place of a picture, and vid_stride (1 to 1,000,000) says which of its frames are looked at. kHub:
// `model` is a field as well, a name or an address that ends in it; iou is 0.45 where it is not said.
// kHubFirst: the same fields are called image, size, confidence and url, iou is 0.45.
Result<PredictCall> parse_predict(const RequestBody& body, std::string_view content_type,
                                  std::string_view query, Dialect dialect = Dialect::kUltralytics);

// Puts what came from `call.url` into the call. Errors: as a file that came itself.
Result<void> take_fetched(std::vector<std::byte> bytes, PredictCall& call);

// Whole-call times for the reply's metadata.
struct CallTimes {
  Duration call{};   // this request, first byte to answer
  Duration alive{};  // since the server started
};

// The reply, keys and order as the platform's; with kHubFirst {success,message,data}, its boxes as parts of
// the picture, both as corners and as centre and size. Errors: kInternal where the response carries no
// prediction.
Result<ReplyBody> write_predict(const content::InferResponse& response, const Style& style,
                                const CallTimes& times);

// The same reply for the frames of a video, piece by piece: the beginning, each frame, the end.
[[nodiscard]] std::string begin_frames();
void append_frame(std::string& out, const content::InferResponse& response, const Style& style, bool first);
void end_frames(std::string& out, const content::ModelInfo& model, std::size_t frames,
                const CallTimes& times);
// Or as JSON lines: what `images` holds of each frame, then the metadata; an error in place of either.
[[nodiscard]] std::string frame_line(const content::InferResponse& response, const Style& style);
[[nodiscard]] std::string metadata_line(const content::ModelInfo& model, std::size_t frames,
                                        const CallTimes& times);

// Whether a deployment answers: `took` is how long it was to find out.
[[nodiscard]] std::string write_health(const Result<void>& ready, Duration took);

// What the reply says of one picture, without braces around it: shape, speed, the rows as the reference
// package's summary() gives them, and of every pixel's class or depth a PNG. `bascule predict --json` uses
// the same. Precondition: the response carries a prediction and its model.
void append_image(std::string& out, const content::InferResponse& response, const Style& style);

}  // namespace bascule::protocol::ultralytics

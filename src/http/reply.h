#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/gate.h"
#include "base/clock.h"
#include "base/compression.h"
#include "base/result.h"
#include "content/infer.h"
#include "http/reply_stream.h"
#include "protocol/body.h"

namespace bascule::http {

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kCsv = "text/csv; charset=utf-8";
inline constexpr std::string_view kBinary = "application/octet-stream";
inline constexpr std::string_view kLines = "application/x-ndjson";
inline constexpr std::string_view kEvents = "text/event-stream";
inline constexpr std::string_view kJpeg = "image/jpeg";
inline constexpr std::string_view kText = "text/plain; charset=utf-8";
inline constexpr std::string_view kExposition = "text/plain; version=0.0.4; charset=utf-8";

// What a trace tells of an inference, beside its stages.
// Thread-safety: a value.
struct Answered {
  std::shared_ptr<const content::ModelInfo> model;
  std::string id;
  std::vector<content::StepTimes> steps;
};

// One answer, ready to be written.
// Thread-safety: a value; one owner at a time.
struct Reply {
  unsigned status = 200;
  std::string_view content_type = kJson;  // one of the constants above
  protocol::ReplyBody body;
  StreamEnd stream;                          // in place of a body: one that is still made
  std::optional<content::Stages> stages;     // of an inference
  std::unique_ptr<const Answered> answered;  // of an inference, where requests are traced; else null
  std::string allow;                         // with 405
  std::optional<Compression> coding;         // how the body is packed
  // Of a packed body: the bytes of JSON that were in front of binary tensors.
  std::optional<std::size_t> json_length;
  Duration retry_after{};  // when it is worth asking again; 0: not known
  bool preflight = false;  // tells a browser what pages of another origin may ask
};

// A request that is not served, and the status that says so.
// Thread-safety: a value.
struct Refusal {
  unsigned status = 400;
  Error error;
  protocol::Dialect dialect = protocol::Dialect::kV2;
  std::string_view label = "http";  // of the dialect, for metrics
  std::string model = {};           // of an inference that its queue refused; else empty
  std::string version = {};
  access::KeyPtr key = {};  // whose request it was; null: not known
};

// How the connection goes on after a reply.
struct ReplyForm {
  bool head_only = false;  // the answer to HEAD
  bool keep_alive = true;
  bool http10 = false;  // keep-alive must then be said
  bool timing = false;  // says where the time went, in Bascule-Timing
  std::string_view traceparent;
  std::string_view shared_with;  // value of Access-Control-Allow-Origin; empty: none
};

// Writes the status line and the header fields of `reply` over `out`. `server`: value of the Server field.
void write_head(std::string& out, const Reply& reply, const ReplyForm& form, std::string_view server);
// "queue=0.012;prepare=3.100;run=16.004;finish=0.410": milliseconds.
[[nodiscard]] std::string timing_text(const content::Stages& stages);
// "Not Found"; "Unknown" for what is not used here.
[[nodiscard]] std::string_view status_text(unsigned status);

}  // namespace bascule::http

#include "app/options.h"

#include <algorithm>

#include "base/check.h"

namespace bascule::app {
namespace {

using config::Option;
using config::Type;

const Option kMaxConnections = {.name = "max_connections",
                                .type = Type::kInteger,
                                .fallback = "4096",
                                .text = "Open connections beyond this are answered with 503.",
                                .min = 1,
                                .max = 1e6};
const Option kModelControlMode = {
    .name = "model_control_mode",
    .type = Type::kChoice,
    .fallback = "explicit",
    .text =
        "explicit: models may be loaded, reloaded and unloaded over HTTP, on a loopback address; poll: what "
        "changes is loaded every --repository-poll-secs; none: neither.",
    .choices = {"none", "explicit", "poll"}};
const Option kPollSecs = {.name = "repository_poll_secs",
                          .type = Type::kInteger,
                          .fallback = "15",
                          .text = "How often the paths are looked at under --model-control-mode poll.",
                          .unit = "s",
                          .min = 1,
                          .max = 86400};
const Option kWatch = {
    .name = "watch",
    .type = Type::kFlag,
    .text =
        "Load models and versions that are new or changed as soon as their files rest, drop those removed."};
const Option kLoadModel = {
    .name = "load_model",
    .type = Type::kText,
    .fallback = "*",
    .text =
        "Names of the models to load at the start, with commas between them; `*` for all, `none` for none."};
const Option kLoadOnUse = {
    .name = "load_on_use",
    .type = Type::kFlag,
    .text =
        "Load a model when a request first asks for it, which waits, not at the start; those that "
        "--load-model names are loaded at once."};
const Option kMemoryBudget = {
    .name = "memory_budget_mb",
    .type = Type::kInteger,
    .fallback = "0",
    .text =
        "Memory that all loaded models may need together, as estimated when they are loaded. What does not "
        "fit at the start is loaded by the first request for it; models used longest ago make room. 0: no "
        "limit.",
    .unit = "MB",
    .min = 0,
    .max = 1e9};
const Option kVersionPolicy = {
    .name = "version_policy",
    .type = Type::kText,
    .fallback = "latest:1",
    .text = "Which versions of a repository's models are served: latest:N, all or specific:N,N."};
const Option kAllowClientShm = {
    .name = "allow_client_shm",
    .type = Type::kFlag,
    .text = "Let clients on this machine pass tensors through POSIX shared memory that they register."};
const Option kAllowUrl = {
    .name = "allow_url",
    .type = Type::kText,
    .text =
        "Hosts whose URLs may stand for a picture: pictures.example (ports 80 and 443), "
        "pictures.example:8080, *.example.org or `*`. None where not given.",
    .max_items = 64};
const Option kCustomOpLibraries = {
    .name = "custom_op_libraries",
    .type = Type::kText,
    .text = "Shared libraries with operators of one's own for ONNX Runtime. Their code runs in this process.",
    .max_items = 16};
const Option kOpenVino = {
    .name = "openvino",
    .type = Type::kText,
    .text =
        "Folder with OpenVINO's libraries (libopenvino_c and what it loads); where not given, this program's "
        "own, else the system's. They are loaded when the first model needs them."};
const Option kStateDir = {
    .name = "state_dir",
    .type = Type::kText,
    .text =
        "Folder for what is kept between starts: compiled models, so that OpenVINO starts faster, and the "
        "results of `bascule tune` for models whose folder cannot be written to. None where not given."};
const Option kTune = {
    .name = "tune",
    .type = Type::kChoice,
    .fallback = "off",
    .text =
        "quick: before it is served, a model that `bascule tune` has not been run for here is tuned in about "
        "ten seconds, on made-up inputs.",
    .choices = {"off", "quick"}};
const Option kAllowPrivateUrls = {
    .name = "allow_private_urls",
    .type = Type::kFlag,
    .text =
        "Fetch URLs whose host has an address of this machine or of a private network, too; else such a "
        "connection is never made."};
const Option kUrlTimeout = {.name = "url_timeout_ms",
                            .type = Type::kInteger,
                            .fallback = "10000",
                            .text = "A URL that was not fetched after this long is given up.",
                            .unit = "ms",
                            .min = 10,
                            .max = 3.6e6};
const Option kFfmpeg = {
    .name = "ffmpeg",
    .type = Type::kText,
    .fallback = "ffmpeg",
    .text = "The program that reads videos, looked for in PATH where it has no '/'; 5.1 or later."};
const Option kMaxVideos = {
    .name = "max_videos",
    .type = Type::kInteger,
    .fallback = "2",
    .text = "Videos that are read at once, each by a process of one thread; others wait.",
    .min = 1,
    .max = 256};
const Option kMaxVideoFrames = {
    .name = "max_video_frames",
    .type = Type::kInteger,
    .fallback = "3000",
    .text = "Frames of a video that are looked at; one with more is refused there.",
    .min = 1,
    .max = 1e9};
const Option kMaxVideoSeconds = {
    .name = "max_video_seconds",
    .type = Type::kInteger,
    .fallback = "300",
    .text = "A video whose frames were not all read after this long is given up.",
    .unit = "s",
    .min = 1,
    .max = 86400};
const Option kStrictConfig = {
    .name = "strict_config",
    .type = Type::kFlag,
    .text =
        "A model whose config.pbtxt asks for something that is not done is not served; else that is a "
        "warning."};
const Option kMaxPixels = {.name = "max_pixels",
                           .type = Type::kInteger,
                           .fallback = "100000000",
                           .text = "Pictures with more pixels are refused from their header.",
                           .unit = "pixels",
                           .min = 1,
                           .max = 4e9};
const Option kCompat = {
    .name = "compat",
    .type = Type::kChoice,
    .fallback = "none",
    .text =
        "triton: what clients of Triton look for by the letter: the server's name, and 503 "
        "instead of 429 for a full queue.",
    .choices = {"none", "triton"}};
const Option kLogLevel = {.name = "log_level",
                          .type = Type::kChoice,
                          .fallback = "info",
                          .text = "How much is logged to standard error.",
                          .choices = {"debug", "info", "warning", "error", "off"}};
const Option kLogFormat = {.name = "log_format",
                           .type = Type::kChoice,
                           .fallback = "text",
                           .text = "How log lines are written.",
                           .choices = {"text", "json"}};
const Option kConfig = {
    .name = "config",
    .type = Type::kText,
    .text = "A YAML file with these settings and a `models:` list, whose paths are relative to the file.",
    .command_line_only = true};

const Option kHost = {.name = "host",
                      .type = Type::kText,
                      .fallback = "127.0.0.1",
                      .text = "Address to listen on; 0.0.0.0 serves every network this machine is in."};
const Option kHttpPort = {.name = "http_port",
                          .type = Type::kInteger,
                          .fallback = "8000",
                          .text = "Port for HTTP; 0 takes any free one and prints it.",
                          .min = 0,
                          .max = 65535};

const Option kGrpcPort = {.name = "grpc_port",
                          .type = Type::kInteger,
                          .fallback = "8001",
                          .text =
                              "Port for gRPC; 0 takes any free one and prints it, off closes it. The default "
                              "port is left out when it "
                              "is taken.",
                          .min = 0,
                          .max = 65535,
                          .choices = {"off"}};

const Option kMetricsPort = {
    .name = "metrics_port",
    .type = Type::kInteger,
    .fallback = "8002",
    .text =
        "Second port for GET /metrics, and nothing else; 0 takes any free one and prints it, off "
        "closes it. The default port is left out when it is taken.",
    .min = 0,
    .max = 65535,
    .choices = {"off"}};

const Option kAccessLog = {
    .name = "access_log",
    .type = Type::kText,
    .text = "Append one JSON line for each request to this file; - is standard output."};

const Option kApiKeys = {.name = "api_keys",
                         .type = Type::kText,
                         .text =
                             "A YAML file of keys (`bascule key new NAME` makes one): every request but "
                             "those for health then needs "
                             "one. It is read again when it changes."};
const Option kCorsOrigin = {.name = "cors_origin",
                            .type = Type::kText,
                            .text =
                                "Origins whose web pages may ask from a browser (https://shop.example); `*` "
                                "is all of them, but not for "
                                "load, unload and the like.",
                            .max_items = 64};

const Option kTlsCert = {
    .name = "tls_cert",
    .type = Type::kText,
    .text =
        "A PEM file of the certificate, and those that lead to its authority: HTTP, gRPC and metrics then "
        "speak TLS only. Renewed files are taken without a restart."};
const Option kTlsKey = {
    .name = "tls_key", .type = Type::kText, .text = "The PEM file of the certificate's key."};
const Option kTlsClientCa = {
    .name = "tls_client_ca",
    .type = Type::kText,
    .text = "A PEM file of authorities: only clients with a certificate of theirs may connect."};

const Option kOtlpEndpoint = {
    .name = "otlp_endpoint",
    .type = Type::kText,
    .text =
        "Send traces of requests there, as OTLP over HTTP with JSON bodies: http://localhost:4318, to which "
        "/v1/traces is added where it does not end with that."};
const Option kOtlpHeaders = {
    .name = "otlp_headers",
    .type = Type::kText,
    .text =
        "Header fields that are sent with traces: NAME=VALUE, with %2C for a comma. They may be secret: "
        "better "
        "in the variable or the file than on the command line, which other users can see.",
    .max_items = 16};
const Option kTraceSample = {
    .name = "trace_sample",
    .type = Type::kNumber,
    .fallback = "1",
    .text =
        "The part of requests that are traced, of those whose caller does not say (in `traceparent`) whether "
        "it traces them.",
    .min = 0,
    .max = 1};
const Option kTraceQueue = {
    .name = "trace_queue",
    .type = Type::kInteger,
    .fallback = "2048",
    .text = "Traced requests that may wait to be sent; more are dropped, and counted.",
    .unit = "requests",
    .min = 1,
    .max = 1e6};

const Option kMaxJsonBytes = {.name = "max_json_bytes",
                              .type = Type::kInteger,
                              .fallback = "16777216",
                              .text = "Largest JSON body that is read.",
                              .unit = "bytes",
                              .min = 1024,
                              .max = 1e12};
const Option kMaxBinaryBytes = {.name = "max_binary_bytes",
                                .type = Type::kInteger,
                                .fallback = "67108864",
                                .text = "Largest picture or binary body that is read.",
                                .unit = "bytes",
                                .min = 1024,
                                .max = 1e12};

std::vector<Option> server_options() {
  return {
      kHost,
      kHttpPort,
      kGrpcPort,
      kMetricsPort,
      {.name = "default_model", .type = Type::kText, .text = "The model that routes without a name mean."},
      {.name = "name", .type = Type::kText, .text = "Serve the one model given under this name."},
      kModelControlMode,
      kPollSecs,
      kWatch,
      kLoadModel,
      kLoadOnUse,
      kMemoryBudget,
      kVersionPolicy,
      kAllowClientShm,
      kAllowUrl,
      kAllowPrivateUrls,
      kUrlTimeout,
      kFfmpeg,
      kMaxVideos,
      kMaxVideoFrames,
      kMaxVideoSeconds,
      kStrictConfig,
      kCustomOpLibraries,
      kOpenVino,
      kStateDir,
      kTune,
      kMaxJsonBytes,
      kMaxBinaryBytes,
      kMaxPixels,
      kMaxConnections,
      {.name = "idle_timeout_ms",
       .type = Type::kInteger,
       .fallback = "75000",
       .text = "A connection without a request for this long is closed.",
       .unit = "ms",
       .min = 10,
       .max = 1e9},
      {.name = "read_timeout_ms",
       .type = Type::kInteger,
       .fallback = "30000",
       .text = "A request of which nothing came for this long is given up.",
       .unit = "ms",
       .min = 10,
       .max = 1e9},
      kCompat,
      kApiKeys,
      kCorsOrigin,
      kTlsCert,
      kTlsKey,
      kTlsClientCa,
      kAccessLog,
      kOtlpEndpoint,
      kOtlpHeaders,
      kTraceSample,
      kTraceQueue,
      kLogLevel,
      kLogFormat,
      kConfig};
}

}  // namespace

const config::Tables& tables() {
  static const config::Tables both{.server = server_options(), .model = model_options()};
  return both;
}

const Option& server_option(std::string_view name) {
  const auto& options = tables().server;
  const auto found = std::ranges::find(options, name, &Option::name);
  BASCULE_CHECK(found != options.end());
  return *found;
}

std::vector<Option> detection_options() {
  return {{.name = "conf",
           .type = Type::kNumber,
           .fallback = "0.25",
           .text = "Drop objects whose confidence is not above this.",
           .min = 0.01,
           .max = 1},
          {.name = "iou",
           .type = Type::kNumber,
           .fallback = "0.7",
           .text = "Of two boxes of a class that overlap more than this, keep the better one.",
           .min = 0,
           .max = 0.95},
          {.name = "imgsz",
           .type = Type::kInteger,
           .text = "Size of the model's input; the model's own where not given.",
           .unit = "pixels",
           .min = 32,
           .max = 8192},
          {.name = "classes",
           .type = Type::kInteger,
           .text = "Look for these classes alone, by their numbers.",
           .min = 0,
           .max = 1'000'000,
           .max_items = 100},
          {.name = "max_det",
           .type = Type::kInteger,
           .fallback = "300",
           .text = "At most so many objects of a picture, the best.",
           .min = 1,
           .max = 1000}};
}

Option stride_option() {
  return {.name = "vid_stride",
          .type = Type::kInteger,
          .fallback = "1",
          .text = "Of a video look at every so many-th frame.",
          .min = 1,
          .max = 1'000'000};
}

Option threads_option() {
  return {.name = "threads",
          .type = Type::kInteger,
          .fallback = "auto",
          .text = "Threads that compute; auto: all cores.",
          .min = 1,
          .max = 256,
          .choices = {"auto"}};
}

}  // namespace bascule::app

#include "app/commands.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"

namespace bascule::app {
namespace {

using config::Option;
using config::Type;

constexpr std::uint64_t kMaxConfigBytes = 1U << 20U;

const Option kThreads = {
    .name = "threads",
    .type = Type::kInteger,
    .fallback = "1",
    .text =
        "Threads that compute one run of a model. More than one lowers the latency of a lone "
        "request and the throughput of many.",
    .min = 1,
    .max = 256};
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
const Option kVersionPolicy = {
    .name = "version_policy",
    .type = Type::kText,
    .fallback = "latest:1",
    .text = "Which versions of a repository's models are served: latest:N, all or specific:N,N."};
const Option kMaxPixels = {.name = "max_pixels",
                           .type = Type::kInteger,
                           .fallback = "100000000",
                           .text = "Pictures with more pixels are refused from their header.",
                           .unit = "pixels",
                           .min = 1,
                           .max = 4e9};
const Option kMaxBatchSize = {.name = "max_batch_size",
                              .type = Type::kInteger,
                              .fallback = "0",
                              .text =
                                  "Rows of one run that requests may share; 1: none do; 0: decided for each "
                                  "model by a trial when it is loaded.",
                              .min = 0,
                              .max = 1024};
const Option kMaxQueueDelay = {
    .name = "max_queue_delay_microseconds",
    .type = Type::kInteger,
    .fallback = "0",
    .text = "How long a request may wait for others to share its run while the model is idle.",
    .unit = "us",
    .min = 0,
    .max = 10e6};
const Option kMaxQueueSize = {
    .name = "max_queue_size",
    .type = Type::kInteger,
    .fallback = "1000",
    .text = "Requests that may wait for one model; more are answered with 429. 0: no limit.",
    .min = 0,
    .max = 1e6};
const Option kQueueBudget = {
    .name = "queue_budget_ms",
    .type = Type::kInteger,
    .fallback = "1000",
    .text =
        "Requests that would wait longer than this for their model are answered with 429 and the time "
        "to come back. 0: only max_queue_size counts.",
    .unit = "ms",
    .min = 0,
    .max = 3.6e6};
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

const Option kMetricsPort = {
    .name = "metrics_port",
    .type = Type::kText,
    .fallback = "8002",
    .text =
        "Second port for GET /metrics, and nothing else; 0 takes any free one and prints it, off "
        "closes it. The default port is left out when it is taken."};

const Option kAccessLog = {
    .name = "access_log",
    .type = Type::kText,
    .text = "Append one JSON line for each request to this file; - is standard output."};

config::Command serve_command() {
  return {
      .name = "serve",
      .text = "Serve models over HTTP.",
      .positional = "PATH",
      .positional_text = "Model files, folders of model files, or repositories (NAME/VERSION/model.onnx)",
      .positional_needed = false,
      .options = {kHost,
                  kHttpPort,
                  kMetricsPort,
                  {.name = "default_model",
                   .type = Type::kText,
                   .text = "The model that routes without a name mean."},
                  {.name = "name", .type = Type::kText, .text = "Serve the one model given under this name."},
                  kModelControlMode,
                  kPollSecs,
                  kWatch,
                  kLoadModel,
                  kVersionPolicy,
                  kThreads,
                  kMaxBatchSize,
                  kMaxQueueDelay,
                  kMaxQueueSize,
                  kQueueBudget,
                  {.name = "max_json_bytes",
                   .type = Type::kInteger,
                   .fallback = "16777216",
                   .text = "Largest JSON body that is read.",
                   .unit = "bytes",
                   .min = 1024,
                   .max = 1e12},
                  {.name = "max_binary_bytes",
                   .type = Type::kInteger,
                   .fallback = "67108864",
                   .text = "Largest picture or binary body that is read.",
                   .unit = "bytes",
                   .min = 1024,
                   .max = 1e12},
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
                  kAccessLog,
                  kLogLevel,
                  kLogFormat,
                  kConfig},
      .examples =
          "Examples:\n"
          "  bascule serve yolo26n.onnx\n"
          "  curl -F file=@picture.jpg http://127.0.0.1:8000/predict\n"
          "  bascule serve models/ --http-port 8080 --default-model yolo26n\n"
          "\n"
          "Every option is also a key of --config (http_port: 8080) and a variable "
          "(BASCULE_HTTP_PORT=8080).\n"
          "A flag wins over a variable, a variable over the file. More: docs/configuration.md"};
}

config::Command predict_command() {
  return {
      .name = "predict",
      .text = "Run a model on pictures here, without a server.",
      .positional = "MODEL_AND_PICTURES",
      .positional_text = "The model file, then pictures: files, folders, globs, or - for standard input",
      .options = {{.name = "json", .type = Type::kFlag, .text = "Print JSON, not a table."},
                  {.name = "save", .type = Type::kText, .text = "Write annotated pictures to this folder."},
                  {.name = "conf",
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
                  {.name = "decimals",
                   .type = Type::kInteger,
                   .fallback = "5",
                   .text = "Decimals of the numbers in JSON.",
                   .min = 0,
                   .max = 10},
                  {.name = "threads",
                   .type = Type::kInteger,
                   .text = "Threads that compute; all cores where not given.",
                   .min = 1,
                   .max = 256},
                  kMaxPixels},
      .examples =
          "Examples:\n"
          "  bascule predict yolo26n.onnx street.jpg\n"
          "  bascule predict yolo26n.onnx pictures/ --save annotated\n"
          "  cat street.jpg | bascule predict yolo26n.onnx - --json\n"
          "\n"
          "Exit codes: 0 every picture was answered; 1 the model or a picture failed; 2 wrong usage."};
}

config::Command inspect_command() {
  return {.name = "inspect",
          .text = "Print what is understood of a model file, and why.",
          .positional = "MODEL",
          .positional_text = "The model file",
          .options = {{.name = "json", .type = Type::kFlag, .text = "Print JSON."}},
          .examples = "Example:\n  bascule inspect yolo26n.onnx"};
}

config::Command config_command() {
  return {.name = "config",
          .text = "Print the reference of all settings of `serve`.",
          .options = {{.name = "schema",
                       .type = Type::kFlag,
                       .text = "Print the JSON Schema of the YAML file instead."}},
          .examples = "Example:\n  bascule config --schema > bascule.schema.json"};
}

Result<void> configure_log(const config::Values& values) {
  log::Options options;
  if (values.has("log_level")) {
    BASCULE_ASSIGN(options.level, log::parse_level(values.text("log_level")));
    options.format = values.text("log_format") == "json" ? log::Format::kJson : log::Format::kText;
  } else {
    options.level = log::Level::kWarning;
  }
  log::configure(options);
  return {};
}

}  // namespace

const std::vector<config::Command>& commands() {
  static const std::vector<config::Command> table = {serve_command(), predict_command(), inspect_command(),
                                                     config_command()};
  return table;
}

const config::Command& command(std::string_view name) {
  const auto found = std::ranges::find(commands(), name, &config::Command::name);
  BASCULE_CHECK(found != commands().end());
  return *found;
}

Result<std::vector<config::ModelEntry>> complete_values(const config::Command& command,
                                                        config::Values& values) {
  std::vector<config::ModelEntry> models;
  if (values.has("config")) {
    const std::string& file = values.text("config");
    BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, kMaxConfigBytes));
    const std::string_view yaml(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    BASCULE_ASSIGN(models, config::apply_yaml(command.options, yaml, file, values));
  }
  BASCULE_TRY(config::apply_environment(
      command.options, [](const char* name) -> const char* { return std::getenv(name); }, values));
  BASCULE_TRY(config::apply_defaults(command.options, values));
  BASCULE_TRY(configure_log(values));
  return models;
}

int fail(const Error& error, int exit_code) {
  fmt::print(stderr, "bascule: {}\n", error.message);
  return exit_code;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the other commands consume theirs.
int print_config(config::Parsed parsed) {
  const auto& options = command("serve").options;
  fmt::print("{}", parsed.values.flag("schema") ? config::json_schema(options)
                                                : config::reference_markdown(options));
  return kOk;
}

}  // namespace bascule::app

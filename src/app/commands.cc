#include "app/commands.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include <fmt/format.h>

#include "app/app_check.h"
#include "app/batch.h"
#include "app/keys.h"
#include "app/model_settings.h"
#include "app/options.h"
#include "base/check.h"
#include "base/log.h"

namespace bascule::app {
namespace {

using config::Type;

config::Command serve_command() {
  return {
      .name = "serve",
      .text = "Serve models over HTTP.",
      .positional = "PATH",
      .positional_text = "Model files, folders of model files, or repositories (NAME/VERSION/model.onnx)",
      .positional_needed = false,
      .options = tables().server,
      .model_options = tables().model,
      .examples =
          "Examples:\n"
          "  bascule serve yolo26n.onnx\n"
          "  curl -F file=@picture.jpg http://127.0.0.1:8000/predict\n"
          "  bascule serve models/ --http-port 8080 --default-model yolo26n\n"
          "\n"
          "Every option is also a key of --config (http_port: 8080) and a variable "
          "(BASCULE_HTTP_PORT=8080).\n"
          "A flag wins over a variable, a variable over the file. What is said for every model here is said\n"
          "for one in its entry of the file's models: list, or in a YAML file beside it (yolo26n.yaml).\n"
          "More: docs/configuration.md"};
}

std::vector<config::Option> predict_options() {
  std::vector<config::Option> options = {
      {.name = "json", .type = Type::kFlag, .text = "Print JSON, not a table; of rows, not CSV."},
      {.name = "save", .type = Type::kText, .text = "Write annotated pictures to this folder."},
      {.name = "text", .type = Type::kText, .text = "A sentence to run a model of text on."}};
  std::ranges::move(detection_options(), std::back_inserter(options));
  options.push_back({.name = "decimals",
                     .type = Type::kInteger,
                     .fallback = "5",
                     .text = "Decimals of the numbers in JSON.",
                     .min = 0,
                     .max = 10});
  options.push_back(threads_option());
  options.push_back(stride_option());
  for (const char* name : {"ffmpeg", "custom_op_libraries", "openvino", "state_dir", "max_pixels"}) {
    options.push_back(server_option(name));
  }
  return options;
}

config::Command predict_command() {
  return {.name = "predict",
          .text = "Run a model on pictures, videos, tables or text here, without a server.",
          .positional = "MODEL_AND_INPUTS",
          .positional_text =
              "The model file, then pictures and videos (files, folders, globs, URLs), tables (.csv, .json), "
              "text (.txt, a sentence on each line), or - for standard input",
          .options = predict_options(),
          .examples =
              "Examples:\n"
              "  bascule predict yolo26n.onnx street.jpg\n"
              "  bascule predict yolo26n.onnx pictures/ --save annotated\n"
              "  cat street.jpg | bascule predict yolo26n.onnx - --json\n"
              "  bascule predict yolo26n.onnx street.mp4 --vid-stride 10 --json\n"
              "  bascule predict yolo26n.onnx https://pictures.example/bus.jpg\n"
              "  bascule predict wine.onnx wines.csv > answers.csv\n"
              "  bascule predict spam.onnx --text \"You have won a prize\"\n"
              "\n"
              "Exit codes: 0 every picture was answered; 1 the model or a picture failed; 2 wrong usage."};
}

config::Command eval_command() {
  return {
      .name = "eval",
      .text =
          "Measure how good a detector is on labelled pictures: precision, recall, mean average precision.",
      .positional = "MODEL_AND_DATA",
      .positional_text =
          "The model file, then the data set: a folder with images/ and labels/, or its YAML file",
      .options = {{.name = "json", .type = Type::kFlag, .text = "Print JSON, not a table."},
                  {.name = "split",
                   .type = Type::kChoice,
                   .fallback = "val",
                   .text = "The part of the data set that its YAML file names so.",
                   .choices = {"val", "test", "train"}},
                  {.name = "conf",
                   .type = Type::kNumber,
                   .fallback = "0.001",
                   .text =
                       "Leave out boxes whose confidence is not above this; a curve needs them nearly all.",
                   .min = 0,
                   .max = 1},
                  {.name = "iou",
                   .type = Type::kNumber,
                   .fallback = "0.7",
                   .text = "Of two boxes of a class that overlap more than this, keep the better one.",
                   .min = 0,
                   .max = 1},
                  {.name = "imgsz",
                   .type = Type::kInteger,
                   .text = "Size of the model's input; the model's own where not given.",
                   .unit = "pixels",
                   .min = 32,
                   .max = 8192},
                  {.name = "letterbox",
                   .type = Type::kChoice,
                   .fallback = "rect",
                   .text =
                       "How pictures fill a model that takes any size: rect gives those of like shapes an "
                       "input of theirs, square all of them one.",
                   .choices = {"rect", "square"}},
                  {.name = "max_det",
                   .type = Type::kInteger,
                   .fallback = "300",
                   .text = "At most so many boxes of a picture, the best.",
                   .min = 1,
                   .max = 30'000},
                  threads_option(),
                  server_option("custom_op_libraries"),
                  server_option("openvino"),
                  server_option("state_dir"),
                  server_option("max_pixels")},
      .examples =
          "Examples:\n"
          "  bascule eval yolo26n.onnx coco8/\n"
          "  bascule eval yolo26n-int8.onnx coco8.yaml --json\n"
          "\n"
          "The figures are those of the reference package (yolo val) for the same file and imgsz. A label "
          "is a line\n"
          "'class x y width height' in labels/NAME.txt; a picture without that file shows nothing.\n"
          "Exit codes: 0 every picture counted; 1 the model, a label or a picture failed; 2 wrong usage."};
}

config::Command tune_command() {
  return {
      .name = "tune",
      .text = "Find the fastest engine and settings for a model on this machine, and keep them for serve.",
      .positional = "MODEL",
      .positional_text = "The model file",
      .options =
          {{.name = "samples",
            .type = Type::kText,
            .text = "A file or a folder of them to measure and compare with: pictures, v2 requests (.json), "
                    "tables (.csv, each row a request); where not given, inputs are made up."},
           {.name = "labels",
            .type = Type::kFlag,
            .text = "The samples are a data set with labels, as for `bascule eval`: answers are judged by "
                    "their mean "
                    "average precision."},
           {.name = "latency",
            .type = Type::kFlag,
            .text = "Look for the shortest time of a lone request alone."},
           {.name = "throughput", .type = Type::kFlag, .text = "Look for the most requests a second alone."},
           {.name = "max_drop",
            .type = Type::kNumber,
            .fallback = "0.01",
            .text = "How far answers may be from those of f32: the part of boxes that differ, of confidence, "
                    "of mean "
                    "average precision, or the relative distance of tensors.",
            .min = 0,
            .max = 1},
           {.name = "seconds",
            .type = Type::kInteger,
            .fallback = "30",
            .text = "How long to measure in all; loading the model comes on top.",
            .unit = "s",
            .min = 1,
            .max = 3600},
           {.name = "svg", .type = Type::kText, .text = "Write the result as a picture to this file."},
           {.name = "json", .type = Type::kFlag, .text = "Print JSON, not a table."},
           {.name = "dry_run", .type = Type::kFlag, .text = "Keep nothing."},
           server_option("custom_op_libraries"),
           server_option("openvino"),
           server_option("state_dir"),
           server_option("max_pixels")},
      .examples =
          "Examples:\n"
          "  bascule tune yolo26n.onnx --samples pictures/\n"
          "  bascule tune yolo26n.onnx --samples coco8.yaml --labels --max-drop 0.005\n"
          "  bascule tune wine.onnx --samples wines.csv --throughput --seconds 10\n"
          "\n"
          "The result lies beside the model (yolo26n.tune.yaml), for this file on this machine; serve, "
          "predict and "
          "inspect\n"
          "use it from then on. What cannot win is not measured, and the table says why. More: "
          "docs/tuning.md"};
}

config::Command inspect_command() {
  return {.name = "inspect",
          .text = "Print what is understood of a model file, how it would be served, and why.",
          .positional = "MODEL",
          .positional_text = "The model file; without one, the models of --config",
          .positional_needed = false,
          .options = {{.name = "json", .type = Type::kFlag, .text = "Print JSON."},
                      server_option("config"),
                      server_option("custom_op_libraries"),
                      server_option("openvino"),
                      server_option("state_dir")},
          .model_options = tables().model,
          .examples =
              "Examples:\n"
              "  bascule inspect yolo26n.onnx\n"
              "  bascule inspect yolo26n.onnx --config bascule.yaml"};
}

config::Command import_command() {
  return {
      .name = "import",
      .text = "Make an ONNX file out of a model of the Ultralytics package.",
      .positional = "MODEL.pt",
      .positional_text = "The model; loading it runs what it holds, so import only files that you trust",
      .options =
          {{.name = "output", .type = Type::kText, .text = "The file to write; MODEL.onnx where not given."},
           {.name = "force", .type = Type::kFlag, .text = "Replace the file where it is there."},
           {.name = "imgsz",
            .type = Type::kInteger,
            .fallback = "640",
            .text = "Size of the model's input.",
            .unit = "pixels",
            .min = 32,
            .max = 8192},
           {.name = "static", .type = Type::kFlag, .text = "Take pictures of this one size, one at a time."},
           {.name = "end2end",
            .type = Type::kFlag,
            .text = "Export the head that needs no suppression, where the model has one (YOLO26)."},
           {.name = "precision",
            .type = Type::kChoice,
            .fallback = "fp32",
            .text = "Of the weights; int8 needs --data.",
            .choices = {"fp32", "fp16", "int8"}},
           {.name = "data",
            .type = Type::kText,
            .text = "A data set (YAML) to measure the ranges of int8 on."},
           {.name = "python",
            .type = Type::kText,
            .text = "A Python that has the ultralytics package; else an environment is made, once."},
           {.name = "yes", .type = Type::kFlag, .text = "Make that environment without asking: gigabytes."},
           {.name = "dry_run", .type = Type::kFlag, .text = "Print what would be done."}},
      .examples =
          "Examples:\n"
          "  bascule import yolo26n.pt --end2end\n"
          "  bascule import yolo26n.pt --python venv/bin/python --precision fp16\n"
          "\n"
          "Serving needs none of this: it is for making the file."};
}

config::Command key_command() {
  config::Command command{
      .name = "key",
      .text = "Make a key for the file that --api-keys names.",
      .positional = "new NAME",
      .positional_text = "The word new, and what the key is called",
      .examples =
          "Examples:\n"
          "  (echo keys:; bascule key new camera --role infer) > keys.yaml\n"
          "  bascule key new boss --role admin >> keys.yaml\n"
          "\n"
          "The key goes to standard error, once; its entry, which does not hold it, to standard "
          "output."};
  for (const config::Option& option : key_options()) {
    if (option.name == "role" || option.name == "requests_per_second") command.options.push_back(option);
  }
  return command;
}

config::Command app_command() {
  return {
      .name = "app",
      .text = "Run applications, or check what they would do: what they look at, and which rules would fire.",
      .positional = "check FILE",
      .positional_text = "The word check, and the YAML file with the list `applications:`",
      .options =
          {{.name = "replay",
            .type = Type::kText,
            .text =
                "Show the pictures of this folder, or of its folder images, in the order of their names."},
           {.name = "labels",
            .type = Type::kFlag,
            .text =
                "Take boxes from labels/NAME.txt in that folder (YOLO's format) in place of the model's."},
           {.name = "fps",
            .type = Type::kNumber,
            .fallback = "1",
            .text = "How many of these pictures there are in a second, for cooldown.",
            .min = 0.001,
            .max = 1000},
           {.name = "json", .type = Type::kFlag, .text = "Print a line of JSON for each picture."},
           threads_option(),
           server_option("custom_op_libraries"),
           server_option("openvino"),
           server_option("state_dir"),
           server_option("max_pixels")},
      .examples =
          "Examples:\n"
          "  bascule app run line-3.yaml --http-port 8080    (as bascule serve --config line-3.yaml, "
          "with its options)\n"
          "  bascule app check line-3.yaml\n"
          "  bascule app check line-3.yaml --replay pictures/\n"
          "  bascule app check till.yaml --replay belts/ --labels --json\n"
          "\n"
          "Exit codes: 0 the file is right, and every picture was shown; 1 the model or a picture failed; 2 "
          "wrong "
          "usage,\n"
          "or an application or a rule that is wrong. More: docs/applications.md"};
}

config::Command config_command() {
  return {.name = "config",
          .text = "Print the reference of all settings, of the server and of each model.",
          .options = {{.name = "schema",
                       .type = Type::kFlag,
                       .text = "Print the JSON Schema of --config's YAML file instead."},
                      {.name = "model_schema",
                       .type = Type::kFlag,
                       .text = "Print the JSON Schema of a model's own YAML file instead."}},
          .examples = "Example:\n  bascule config --schema > bascule.schema.json"};
}

const char* variable(const char* name) { return std::getenv(name); }

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
  static const std::vector<config::Command> table = {
      serve_command(),   predict_command(), batch_command(), eval_command(), tune_command(),
      inspect_command(), import_command(),  key_command(),   app_command(),  config_command()};
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
    BASCULE_ASSIGN(const std::string yaml, read_yaml(file));
    // A command reads what it does not use itself, too: the file is the server's.
    BASCULE_ASSIGN(models, config::apply_yaml(tables(), yaml, file, values));
  }
  for (const auto* options : {&command.options, &command.model_options}) {
    BASCULE_TRY(config::apply_environment(*options, variable, values));
    BASCULE_TRY(config::apply_defaults(*options, values));
  }
  BASCULE_TRY(configure_log(values));
  return models;
}

int fail(const Error& error, int exit_code) {
  fmt::print(stderr, "bascule: {}\n", error.message);
  return exit_code;
}

int app(config::Parsed parsed) {
  if (auto completed = complete_values(command("app"), parsed.values); !completed) {
    return fail(completed.error(), kUsage);
  }
  if (parsed.positionals.size() != 2 || parsed.positionals[0] != "check") {
    return fail(
        invalid_argument("Try: bascule app run FILE, or bascule app check FILE (see: bascule app --help)"),
        kUsage);
  }
  return app_check(parsed.values, parsed.positionals[1]);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the other commands consume theirs.
int print_config(config::Parsed parsed) {
  const config::Values& values = parsed.values;
  fmt::print("{}", values.flag("schema")         ? config::json_schema(tables())
                   : values.flag("model_schema") ? config::model_json_schema(tables())
                                                 : config::reference_markdown(tables()));
  return kOk;
}

}  // namespace bascule::app

#include "app/batch.h"
#include "app/options.h"

namespace bascule::app {
namespace {

using config::Option;
using config::Type;

std::vector<Option> files() {
  return {
      {.name = "out",
       .type = Type::kText,
       .fallback = "-",
       .text = "Where results go, one for each input: a file of .jsonl, .csv or .sqlite; - for standard "
               "output, as JSON lines."},
      {.name = "in", .type = Type::kText, .text = "One more input; - for standard input."},
      {.name = "list", .type = Type::kText, .text = "A text file with an input on each line."},
      {.name = "errors",
       .type = Type::kText,
       .text =
           "Where inputs that cannot be answered are told of, with the reason; NAME.errors.jsonl beside the "
           "result where not given, and among the results on standard output."},
      {.name = "max_errors",
       .type = Type::kInteger,
       .text = "End the run, with exit code 1, once more inputs than this could not be answered.",
       .min = 0,
       .max = 1e9},
      {.name = "checkpoint_every",
       .type = Type::kNumber,
       .fallback = "1",
       .text = "How much work a power cut may cost: the result is put on the disk this often.",
       .unit = "s",
       .min = 0,
       .max = 3600},
      {.name = "report",
       .type = Type::kText,
       .text = "Write what was found to this HTML file, in one piece."},
      {.name = "restart", .type = Type::kFlag, .text = "Begin anew what was begun and not finished."},
      {.name = "overwrite", .type = Type::kFlag, .text = "Replace a result that is there."},
      {.name = "shard",
       .type = Type::kText,
       .text = "I/N: every N-th input alone, beginning with the I-th, from 0; N such runs do all of them."}};
}

std::vector<Option> servers() {
  return {
      {.name = "server",
       .type = Type::kText,
       .text =
           "Ask these servers, by their URLs, in place of loading the model; MODEL then is its name there.",
       .max_items = 100},
      {.name = "server_key", .type = Type::kText, .text = "A file with the key that the servers want."},
      {.name = "takes",
       .type = Type::kChoice,
       .fallback = "auto",
       .text = "What a server's model takes; auto: rows for .csv, text for .txt, else pictures.",
       .choices = {"auto", "pictures", "rows", "text"}},
      {.name = "parallel",
       .type = Type::kInteger,
       .fallback = "8",
       .text = "Requests to each server at the same time.",
       .min = 1,
       .max = 256},
      {.name = "give_up_after",
       .type = Type::kInteger,
       .fallback = "300",
       .text = "End the run when no server has answered for so long.",
       .unit = "s",
       .min = 1,
       .max = 1'000'000}};
}

std::vector<Option> answers() {
  std::vector<Option> options = detection_options();
  options.push_back({.name = "decimals",
                     .type = Type::kInteger,
                     .fallback = "5",
                     .text = "Decimals of the numbers that are said of pictures.",
                     .min = 0,
                     .max = 10});
  options.push_back(stride_option());
  options.push_back(threads_option());
  return options;
}

}  // namespace

config::Command batch_command() {
  std::vector<Option> options = files();
  for (auto* more : {&servers, &answers}) {
    for (Option& option : more()) options.push_back(std::move(option));
  }
  for (const char* name : {"ffmpeg", "custom_op_libraries", "openvino", "state_dir", "max_pixels"}) {
    options.push_back(server_option(name));
  }
  return {.name = "batch",
          .text = "Run a model on many inputs: resumable, with a result for each, and a report.",
          .positional = "MODEL_AND_INPUTS",
          .positional_text =
              "The model file, then inputs: pictures, videos, folders with all that is in them, globs, lists "
              "(@FILE), JSON "
              "lines (.jsonl), tables (.csv), text (.txt, a sentence on each line), - for standard input",
          .options = std::move(options),
          .examples =
              "Examples:\n"
              "  bascule batch yolo26n.onnx pictures/ --out results.jsonl --report report.html\n"
              "  bascule batch yolo26n.onnx clip.mp4 --vid-stride 5 --out frames.jsonl\n"
              "  bascule batch wine.onnx wines.csv --out answers.csv\n"
              "  bascule batch wine.onnx --in - --out - < rows.jsonl\n"
              "  bascule batch yolo26n @pictures.txt --server http://a:8000 --server http://b:8000 --out "
              "all.sqlite\n"
              "  bascule batch yolo26n.onnx pictures/ --shard 0/4 --out part-0.jsonl\n"
              "\n"
              "What ends before it is done goes on with the same command. More: docs/batch.md\n"
              "Exit codes: 0 the run is done, and bad inputs are in the file of errors; 1 it failed, there "
              "were too many\n"
              "bad inputs, or nothing but those; 2 wrong usage; 3 a signal ended it, and the same command "
              "goes on."};
}

}  // namespace bascule::app

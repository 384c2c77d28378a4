#include "app/tune.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/commands.h"
#include "app/options.h"
#include "app/shape_words.h"
#include "app/tune_file.h"
#include "app/tune_samples.h"
#include "backend/backend.h"
#include "base/cpu.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "catalog/source.h"
#include "tuning/report.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;
using tensor::DataType;

// Engines and precisions, the default first; what this machine lacks says so when it is tried.
std::vector<tuning::Candidate> kinds() {
  return {{.engine = "onnxruntime"},
          {.engine = "openvino"},
          {.engine = "openvino", .precision = DataType::kBf16},
          {.engine = "openvino", .precision = DataType::kFp16}};
}

// A bar on a terminal, else a line where something new begins.
class Progress {
 public:
  void operator()(double done, std::string_view what) {
    constexpr std::size_t kCells = 24;
    if (::isatty(STDERR_FILENO) != 1) {
      if (what != last_) fmt::print(stderr, "tune: {:3.0f} % {}\n", done * 100, what);
      last_ = what;
      return;
    }
    std::string bar;
    for (std::size_t i = 0; i < kCells; ++i) {
      bar += static_cast<double>(i) < done * static_cast<double>(kCells) ? "█" : "░";
    }
    fmt::print(stderr, "\r{} {:3.0f} %  {:<44}", bar, done * 100, what.substr(0, 44));
    if (done >= 1) fmt::print(stderr, "\r{:80}\r", "");
    std::fflush(stderr);
  }

 private:
  std::string last_;
};

std::string json_row(const tuning::Row& row, bool chosen) {
  const tuning::Candidate& one = row.candidate;
  std::string out = fmt::format(
      R"({{"chosen":{},"engine":"{}","precision":"{}","instances":{},"threads":{},"max_batch_size":{},)"
      R"("letterbox":"{}","decode":"{}")",
      chosen, one.engine, backend::precision_name(one.precision), one.instances, one.threads,
      one.max_batch_size, one.letterbox == content::LetterboxShape::kSquare ? "square" : "rect",
      one.decode == content::DecodeMode::kFast ? "fast" : "exact");
  std::string shapes;
  for (const tensor::Shape& shape : one.shapes) {
    shapes += (shapes.empty() ? "" : ",") + text::json_quoted(shape_words(shape));
  }
  out += ",\"shapes\":[" + shapes + "]";
  if (row.speed) {
    out += fmt::format(R"(,"latency_ms":{:.4f},"per_second":{:.3f},"score":{:.4f})", row.speed->latency_ms,
                       row.speed->rate, row.score);
  }
  if (row.drop) out += fmt::format(R"(,"drop":{:.6f})", *row.drop);
  return out + fmt::format(",\"verdict\":{}}}", text::json_quoted(row.verdict));
}

void print_json(const tuning::Outcome& outcome, const std::string& file) {
  std::string rows;
  for (std::size_t i = 0; i < outcome.rows.size(); ++i) {
    rows += (rows.empty() ? "\n" : ",\n") + json_row(outcome.rows[i], i == outcome.winner);
  }
  fmt::print("{{\"machine\":{},\"summary\":{},\"file\":{},\"rows\":[{}\n]}}\n",
             text::json_quoted(this_machine()), text::json_quoted(tuning::summary(outcome)),
             text::json_quoted(file), rows);
}

TuneOptions options_of(const config::Values& values) {
  TuneOptions out{.max_drop = values.number("max_drop"),
                  .time = std::chrono::seconds(values.integer("seconds"))};
  if (values.flag("latency")) out.goal = tuning::Goal::kLatency;
  if (values.flag("throughput")) out.goal = tuning::Goal::kThroughput;
  if (values.has("state_dir")) out.state_dir = fs::absolute(values.text("state_dir"));
  return out;
}

Result<void> tune_one(const catalog::ModelSource& source, const std::shared_ptr<const Engines>& engines,
                      const config::Values& values) {
  config::Values defaults;
  BASCULE_TRY(config::apply_defaults(tables().model, defaults));
  BASCULE_ASSIGN(const ReadSettings read, SettingsReader(std::move(defaults), {}, {}).read(source));
  BASCULE_ASSIGN(TrialInputs inputs, trial_inputs(values));
  TuneOptions options = options_of(values);
  options.progress = Progress();
  const bool made_up = inputs.samples.empty();
  const bool judged = !inputs.labels.empty();
  BASCULE_ASSIGN(const tuning::Outcome outcome,
                 tune_model(engines, source, read, std::move(inputs), options));
  std::string file;
  if (!values.flag("dry_run")) {
    BASCULE_ASSIGN(const fs::path written, keep_outcome(source, options.state_dir, outcome));
    file = written.string();
  }
  if (values.has("svg")) {
    BASCULE_TRY(write_file(values.text("svg"), tuning::svg(outcome, source.name + " on " + this_machine())));
  }
  if (values.flag("json")) {
    print_json(outcome, file);
    return {};
  }
  fmt::print("{} on {}\n\n{}", source.name, this_machine(), tuning::table(outcome, options.goal));
  if (judged)
    fmt::print("answers: what is lost of mean average precision (50-95) over the labelled samples.\n");
  if (made_up) {
    fmt::print(
        "No samples were given: answers were compared as tensors, for a made-up input. --samples DIR takes "
        "yours.\n");
  }
  fmt::print("\nChosen: {}\n", tuning::summary(outcome));
  if (!file.empty()) fmt::print("Kept in {}; `bascule serve` uses it from now on.\n", file);
  return {};
}

}  // namespace

Result<tuning::Outcome> tune_model(const std::shared_ptr<const Engines>& engines,
                                   const catalog::ModelSource& source, const ReadSettings& read,
                                   TrialInputs inputs, const TuneOptions& options) {
  const std::size_t cores = inputs.cores;
  ModelTrial trial(engines, source, read.settings, std::move(inputs));
  return tuning::search(trial, {.goal = options.goal,
                                .max_drop = options.max_drop,
                                .cores = cores,
                                .time = options.time,
                                .kinds = kinds(),
                                .progress = options.progress});
}

Result<fs::path> keep_outcome(const catalog::ModelSource& source, const fs::path& state_dir,
                              const tuning::Outcome& outcome) {
  BASCULE_ASSIGN(std::string digest, file_digest(source.file));
  return write_tuned(source, state_dir,
                     {.digest = std::move(digest),
                      .machine = this_machine(),
                      .summary = tuning::summary(outcome),
                      .chosen = outcome.chosen().candidate});
}

void tune_quickly(const std::shared_ptr<const Engines>& engines,
                  const std::vector<catalog::ModelSource>& sources, const SettingsReader& reader,
                  const TrialInputs& inputs, const TuneOptions& options) {
  for (const catalog::ModelSource& source : sources) {
    if (source.problem || !source.engine.empty()) continue;
    const auto read = reader.read(source);
    if (!read) continue;  // its load will say so
    if (read->values.source("engine").origin == config::Origin::kTuneFile) continue;
    log::info("{}: trying engines and settings for about {} s", source.name,
              static_cast<long>(to_seconds(options.time)));
    const auto outcome = tune_model(engines, source, *read, inputs, options);
    if (!outcome) {
      log::warning("{}: not tuned: {}", source.name, outcome.error().message);
      continue;
    }
    const auto file = keep_outcome(source, options.state_dir, *outcome);
    if (file) {
      log::info("{}: {} Kept in {}", source.name, tuning::summary(*outcome), file->string());
    } else {
      log::warning("{}: {} It could not be kept, and is not used: {}", source.name, tuning::summary(*outcome),
                   file.error().message);
    }
  }
}

int tune(config::Parsed parsed) {
  config::Values& values = parsed.values;
  if (auto completed = complete_values(command("tune"), values); !completed)
    return fail(completed.error(), kUsage);
  if (parsed.positionals.size() != 1) {
    return fail(invalid_argument("Give one model. See: bascule tune --help"), kUsage);
  }
  if (values.flag("latency") && values.flag("throughput")) {
    return fail(invalid_argument("--latency and --throughput are two goals; give one, or none for both."),
                kUsage);
  }
  const auto engines = std::make_shared<const Engines>(engine_options(values));
  const auto sources = catalog::find_models({catalog::ModelPath{.path = parsed.positionals[0]}},
                                            engines->of_files(), {.read_config = config_reader(false)});
  if (!sources) return fail(sources.error(), kFailed);
  if (sources->size() != 1) {
    return fail(invalid_argument(fmt::format("'{}' holds {} models; give the file of one.",
                                             parsed.positionals[0], sources->size())),
                kUsage);
  }
  const auto tuned = tune_one(sources->front(), engines, values);
  return tuned ? kOk : fail(tuned.error(), kFailed);
}

}  // namespace bascule::app

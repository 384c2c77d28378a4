#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "app/description_options.h"
#include "app/options.h"
#include "app/shape_words.h"
#include "backend/backend.h"
#include "base/cpu.h"
#include "base/text.h"

namespace bascule::app {
namespace {

using config::Option;
using config::Type;

constexpr double kMaxRows = 1024;
constexpr double kHourInMicroseconds = 3.6e9;
const std::string kAuto = "auto";
const std::string kOpenVino = "openvino";  // the one that computes in other than f32

const Option kMaxBatchSize = {.name = "max_batch_size",
                              .type = Type::kInteger,
                              .fallback = "0",
                              .text =
                                  "Rows of one run that requests may share; a request of more is refused. 1: "
                                  "none share. 0: decided for each model by a trial when it is loaded; "
                                  "larger requests run alone.",
                              .min = 0,
                              .max = kMaxRows};
const Option kPreferredBatchSize = {
    .name = "preferred_batch_size",
    .type = Type::kInteger,
    .text = "Rows of a run that need not wait for more while max_queue_delay_microseconds is not over.",
    .min = 1,
    .max = kMaxRows,
    .max_items = 16};
const Option kMaxQueueDelay = {
    .name = "max_queue_delay_microseconds",
    .type = Type::kInteger,
    .fallback = "0",
    .text = "How long a request may wait for others to share its run while the model is idle.",
    .unit = "us",
    .min = 0,
    .max = 10e6};
const Option kPreserveOrdering = {.name = "preserve_ordering",
                                  .type = Type::kFlag,
                                  .fallback = "false",
                                  .text = "Answers leave in the order in which their requests came."};
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
const Option kPriorityLevels = {
    .name = "priority_levels",
    .type = Type::kInteger,
    .fallback = "0",
    .text = "Levels of priority that a request may name; 1 is served first. 0: requests have none.",
    .min = 0,
    .max = 100};
const Option kDefaultPriorityLevel = {.name = "default_priority_level",
                                      .type = Type::kInteger,
                                      .fallback = "0",
                                      .text = "The level of requests that name none. 0: the lowest.",
                                      .min = 0,
                                      .max = 100};
const Option kDefaultTimeout = {
    .name = "default_timeout_microseconds",
    .type = Type::kInteger,
    .fallback = "0",
    .text = "How long a request that names no timeout of its own may wait; then it is not run. 0: for ever.",
    .unit = "us",
    .min = 0,
    .max = kHourInMicroseconds};
const Option kInstances = {.name = "instances",
                           .type = Type::kInteger,
                           .fallback = kAuto,
                           .text = "Runs of the model at the same time; auto: as many as the cores allow.",
                           .min = 1,
                           .max = 256,
                           .choices = {kAuto}};
const Option kThreads = {
    .name = "threads",
    .type = Type::kInteger,
    .fallback = kAuto,
    .text =
        "Threads that compute one run of the model. More than one lowers the latency of a lone request and "
        "the throughput of many. auto: the cores divided by instances; 1 where that is auto, too.",
    .min = 1,
    .max = 256,
    .choices = {kAuto}};
const Option kLoneThreads = {
    .name = "lone_threads",
    .type = Type::kInteger,
    .fallback = kAuto,
    .text =
        "Threads that compute a run while nothing else runs or waits, so that a lone request has all cores. "
        "A model whose run takes 5 ms or more, and whose file has at most 256 MB, is loaded a second time "
        "for that. auto: the cores, at most 8; where threads or instances are set, or memory_budget_mb is, "
        "as threads.",
    .min = 1,
    .max = 256,
    .choices = {kAuto}};
const Option kEngine = {
    .name = "engine",
    .type = Type::kChoice,
    .fallback = kAuto,
    .text =
        "What runs the model. auto: onnxruntime where it can load the file, else openvino; "
        "openvino where a precision is asked for that only it has.",
    .choices = {kAuto, "onnxruntime", "openvino"}};
const Option kPrecision = {.name = "precision",
                           .type = Type::kChoice,
                           .fallback = "f32",
                           .text =
                               "In which numbers the model's floats are computed: f32 as the reference does; "
                               "bf16 and f16 are faster where the processor has them, and less exact "
                               "(`bascule tune` measures both).",
                           .choices = {"f32", "bf16", "f16"}};
const Option kShapes = {
    .name = "shapes",
    .text =
        "Shapes of the model's one input, such as 1x3x640x640, that openvino compiles it for on their own: "
        "runs of them are faster, others go as before, and each takes memory of its own (`bascule tune` "
        "finds them). onnxruntime makes nothing of them.",
    .max_items = backend::kMaxShapes};
const Option kLetterbox = {
    .name = "letterbox",
    .type = Type::kChoice,
    .fallback = "rect",
    .text =
        "How pictures fill a model that takes any size: rect pads to the next multiple of the stride, as the "
        "reference package does; square to the full size, so that pictures of every shape share runs.",
    .choices = {"rect", "square"}};
const Option kDecode = {.name = "decode",
                        .type = Type::kChoice,
                        .fallback = "exact",
                        .text =
                            "How JPEGs are decoded whose sides are at least twice what the model's input "
                            "holds of them: exact as the "
                            "reference package does; fast at a half, a quarter or an eighth of their sides. "
                            "Boxes are in the picture's "
                            "own pixels either way.",
                        .choices = {"exact", "fast"}};
const Option kWarmUp = {
    .name = "warm_up",
    .type = Type::kText,
    .text =
        "Sample files to run before the model serves, below the folder of the file that names them: v2 "
        "requests (.json) or pictures. None: zeros of the smallest shapes.",
    .max_items = 64,
    .one_model_only = true};

const Option kState = {
    .name = "state",
    .type = Type::kText,
    .text =
        "What the model carries from one request of a sequence to the next, as INPUT=OUTPUT: names of its "
        "file. Requests then name their sequence, and neither bring the one nor get the other.",
    .max_items = 64,
    .one_model_only = true};
const Option kInitialState = {.name = "initial_state",
                              .type = Type::kText,
                              .text =
                                  "What a state is at the first request of a sequence, as INPUT=FILE: the "
                                  "elements' bytes, in a file of "
                                  "the folder initial_state beside the model. None: zeros.",
                              .max_items = 64,
                              .one_model_only = true};
const Option kMaxIdle = {.name = "max_sequence_idle_microseconds",
                         .type = Type::kInteger,
                         .fallback = "60000000",
                         .text =
                             "A sequence without a request for so long is given up. Where config.pbtxt has "
                             "sequence_batching and does not say, 1000000.",
                         .unit = "us",
                         .min = 1,
                         .max = 86.4e9,
                         .one_model_only = true};
const Option kMaxCandidates = {
    .name = "max_candidate_sequences",
    .type = Type::kInteger,
    .fallback = "1024",
    .text =
        "Sequences of the model that may be under way at once; others wait for one of them to end. Where "
        "config.pbtxt has the direct strategy, as many as rows of all instances' runs.",
    .min = 1,
    .max = 1e6,
    .one_model_only = true};
const Option kMaxState = {
    .name = "max_state_mb",
    .type = Type::kInteger,
    .fallback = "256",
    .text = "What all sequences of the model may keep together; a request that would go beyond is refused.",
    .unit = "MB",
    .min = 1,
    .max = 1e6,
    .one_model_only = true};

// "bascule.yaml:3: default_priority_level is 4, but ".
Error contradiction(const config::Values& values, const std::string& name, const std::string& value,
                    const std::string& other) {
  return invalid_argument(fmt::format("{} is {} ({}), but {} is {} ({}); make one fit the other.", name,
                                      value, values.source(name).place, other, values.text(other),
                                      values.source(other).place));
}

std::size_t count_or_zero(const config::Values& values, std::string_view name) {
  return static_cast<std::size_t>(values.integer_or_word(name).value_or(0));
}

tensor::DataType precision_of(std::string_view word) {
  if (word == "bf16") return tensor::DataType::kBf16;
  return word == "f16" ? tensor::DataType::kFp16 : tensor::DataType::kFp32;
}

int threads_of(const config::Values& values, std::size_t instances) {
  if (const auto threads = values.integer_or_word("threads")) return static_cast<int>(*threads);
  return instances == 0 ? 1 : static_cast<int>(std::max<std::size_t>(cpu_budget() / instances, 1));
}

// Beyond these the models that people serve gain little, and where two of them are one core's they lose.
constexpr std::size_t kMostLoneThreads = 8;

int lone_threads_of(const config::Values& values, int threads) {
  const std::size_t cores = cpu_budget();
  if (const auto asked = values.integer_or_word("lone_threads")) {
    return static_cast<int>(std::min(static_cast<std::size_t>(*asked), cores));  // they would never be free
  }
  if (values.integer_or_word("threads") || values.integer_or_word("instances")) return threads;
  return static_cast<int>(std::min(cores, kMostLoneThreads));
}

Result<std::vector<tensor::Shape>> shapes_of(const config::Values& values) {
  std::vector<tensor::Shape> out;
  for (const std::string& item : values.items("shapes")) {
    Result<tensor::Shape> shape = read_shape(item);
    if (!shape) {
      return invalid_argument(
          fmt::format("{}: shapes: {}", values.source("shapes").place, shape.error().message));
    }
    out.push_back(*std::move(shape));
  }
  return out;
}

}  // namespace

std::vector<Option> model_options() {
  std::vector<Option> out = {kMaxBatchSize,   kPreferredBatchSize,
                             kMaxQueueDelay,  kPreserveOrdering,
                             kMaxQueueSize,   kQueueBudget,
                             kPriorityLevels, kDefaultPriorityLevel,
                             kDefaultTimeout, kInstances,
                             kThreads,        kLoneThreads,
                             kEngine,         kPrecision,
                             kShapes,         kLetterbox,
                             kDecode,         kWarmUp,
                             kState,          kInitialState,
                             kMaxIdle,        kMaxCandidates,
                             kMaxState};
  std::ranges::move(description_options(), std::back_inserter(out));
  return out;
}

Result<content::ModelSettings> to_settings(const config::Values& values) {
  content::ModelSettings out;
  out.max_batch_size = static_cast<std::size_t>(values.integer("max_batch_size"));
  for (const std::string& item : values.items("preferred_batch_size")) {
    out.preferred_batch_size.push_back(static_cast<std::size_t>(*text::parse_int(item)));
  }
  std::ranges::sort(out.preferred_batch_size);
  if (!out.preferred_batch_size.empty() && out.max_batch_size > 0 &&
      out.preferred_batch_size.back() > out.max_batch_size) {
    return contradiction(values, "preferred_batch_size", std::to_string(out.preferred_batch_size.back()),
                         "max_batch_size");
  }
  out.max_queue_delay = std::chrono::microseconds(values.integer("max_queue_delay_microseconds"));
  out.preserve_ordering = values.flag("preserve_ordering");
  out.max_queue_size = static_cast<std::size_t>(values.integer("max_queue_size"));
  out.queue_budget = std::chrono::milliseconds(values.integer("queue_budget_ms"));
  out.priority_levels = static_cast<std::uint32_t>(values.integer("priority_levels"));
  out.default_priority_level = static_cast<std::uint32_t>(values.integer("default_priority_level"));
  if (out.default_priority_level > out.priority_levels) {
    return contradiction(values, "default_priority_level", values.text("default_priority_level"),
                         "priority_levels");
  }
  out.default_timeout = std::chrono::microseconds(values.integer("default_timeout_microseconds"));
  out.instances = count_or_zero(values, "instances");
  out.threads = threads_of(values, out.instances);
  out.lone_threads = lone_threads_of(values, out.threads);
  if (values.text("engine") != kAuto) out.engine = values.text("engine");
  out.precision = precision_of(values.text("precision"));
  if (out.precision != tensor::DataType::kFp32 && out.engine.empty()) out.engine = kOpenVino;
  if (out.precision != tensor::DataType::kFp32 && out.engine != kOpenVino) {
    return contradiction(values, "precision", values.text("precision"), "engine");
  }
  BASCULE_ASSIGN(out.shapes, shapes_of(values));
  out.letterbox = values.text("letterbox") == "square" ? content::LetterboxShape::kSquare
                                                       : content::LetterboxShape::kRect;
  out.decode = values.text("decode") == "fast" ? content::DecodeMode::kFast : content::DecodeMode::kExact;
  BASCULE_ASSIGN(out.description, to_description(values));
  return out;
}

}  // namespace bascule::app

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/commands.h"
#include "app/data_set.h"
#include "app/local_model.h"
#include "base/file.h"
#include "base/text.h"
#include "image/decode.h"
#include "tuning/average_precision.h"
#include "tuning/judged_inputs.h"
#include "tuning/labels.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxPictureBytes = 256ULL << 20U;
constexpr std::uint64_t kMaxLabelBytes = 16U << 20U;
constexpr std::size_t kToldErrors = 10;

struct Evaluation {
  const config::Values& values;
  DataSet data;
  std::vector<std::vector<content::Label>> labels;  // of each picture
  std::vector<content::PictureSize> inputs;         // likewise; empty: as the model has them
  content::PredictOptions options;
  std::uint64_t max_pixels = 0;
  int size = 0;                    // of the model's input
  std::size_t backgrounds = 0;     // pictures without objects
  std::vector<std::string> notes;  // what a reader of the figures has to know
};

// The boxes of an upright detector can be judged; those of other models mean something else.
Result<void> check_task(const content::ModelInfo& model, std::vector<std::string>& notes) {
  if (model.task == "detect") return {};
  if (model.task == "segment" || model.task == "pose") {
    notes.push_back(fmt::format("a '{}' model is judged by its boxes alone", model.task));
    return {};
  }
  return invalid_argument(fmt::format(
      "Model '{}' {}; boxes that stand upright are judged here: give a detect, segment or pose model.",
      model.name, model.task.empty() ? "takes tensors, not pictures" : "is for '" + model.task + "'"));
}

// Reads every label file, and says of all that are wrong what is wrong with them, up to ten.
Result<void> read_all_labels(const content::ModelInfo& model, Evaluation& run) {
  const auto last = run.data.names.empty() ? model.class_names.rbegin() : run.data.names.rbegin();
  const bool named = !run.data.names.empty() || !model.class_names.empty();
  const content::LabelRules rules{.classes = named ? static_cast<std::size_t>(last->first) + 1 : 0,
                                  .keypoints = model.task == "pose"};
  std::size_t wrong = 0;
  std::size_t most = 0;
  for (const fs::path& picture : run.data.pictures) {
    const fs::path file = labels_of(picture);
    std::error_code code;
    run.labels.emplace_back();
    if (fs::exists(file, code)) {
      const auto bytes = read_file(file, kMaxLabelBytes);
      auto labels = bytes
                        ? content::read_labels({reinterpret_cast<const char*>(bytes->data()), bytes->size()},
                                               file.string(), rules)
                        : Result<std::vector<content::Label>>(bytes.error());
      if (!labels) {
        if (++wrong <= kToldErrors) fmt::print(stderr, "bascule: {}\n", labels.error().message);
        continue;
      }
      run.labels.back() = *std::move(labels);
    }
    if (run.labels.back().empty()) ++run.backgrounds;
    most = std::max(most, run.labels.back().size());
  }
  if (wrong > 0) {
    return invalid_argument(
        fmt::format("{} of {} label files cannot be used; figures without them would be of "
                    "another data set.",
                    wrong, run.labels.size()));
  }
  if (most > static_cast<std::size_t>(run.options.max_detections)) {
    if (run.values.source("max_det").origin == config::Origin::kDefault) {
      run.options.max_detections = static_cast<int>(std::min<std::size_t>(most, 30'000));
      run.notes.push_back(
          fmt::format("a picture has {} objects: --max-det is {}", most, run.options.max_detections));
    } else {
      run.notes.push_back(fmt::format("a picture has {} objects, but --max-det is {}; recall suffers", most,
                                      run.options.max_detections));
    }
  }
  return {};
}

// Sides that a file leaves open take the shape of each picture, as the reference package has it.
Result<void> choose_inputs(const content::ModelInfo& model, Evaluation& run) {
  const tensor::Shape& shape = model.inputs.front().shape;
  const bool open = shape.size() == 4 && shape[2] == tensor::kDynamic && shape[3] == tensor::kDynamic &&
                    model.outputs.front().shape.front() == tensor::kDynamic;
  const int stride = std::max(model.stride, 1);
  const int own = model.picture_size ? std::max(model.picture_size->height, model.picture_size->width) : 0;
  run.size = run.values.has("imgsz") ? static_cast<int>(run.values.integer("imgsz")) : own;
  if (run.size == 0) return {};
  run.size = (run.size + stride - 1) / stride * stride;
  if (run.values.has("imgsz")) run.options.size = {.height = run.size, .width = run.size};
  const content::PictureSize square{.height = run.size, .width = run.size};
  run.inputs.assign(run.data.pictures.size(), square);
  if (!open || run.values.text("letterbox") == "square") return {};
  std::vector<content::PictureSize> sizes;
  for (const fs::path& picture : run.data.pictures) {
    BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(picture, kMaxPictureBytes));
    const auto header = image::read_header(bytes, {.max_pixels = run.max_pixels});
    // One that cannot be read is told of when its turn comes.
    sizes.push_back(header ? content::PictureSize{.height = header->height, .width = header->width} : square);
  }
  run.inputs = tuning::judged_inputs(sizes, run.size, stride);
  return {};
}

using Answer = Result<content::InferResponse>;

std::future<Answer> ask(serving::InferenceService& service, const Evaluation& run, std::size_t index) {
  auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> future = promise->get_future();
  const fs::path& file = run.data.pictures[index];
  auto read = read_file(file, kMaxPictureBytes);
  if (!read) {
    promise->set_value(std::move(read).error());
    return future;
  }
  const auto bytes = std::make_shared<const std::vector<std::byte>>(*std::move(read));
  content::InferRequest request;
  request.dialect = "cli";
  request.picture = {.bytes = *bytes, .owner = bytes, .name = file.string()};
  request.options = run.options;
  if (!run.inputs.empty()) request.options.judged_input = run.inputs[index];
  service.infer(std::move(request), [promise](auto answer, bool last) {
    if (last) promise->set_value(std::move(answer));
  });
  return future;
}

// Whether every picture was answered; those that were not are told of and left out.
bool judge_all(serving::InferenceService& service, std::size_t width, const Evaluation& run,
               tuning::Tally& tally) {
  const std::size_t count = run.data.pictures.size();
  const bool tell = ::isatty(STDERR_FILENO) == 1;
  std::deque<std::future<Answer>> waiting;  // at most one more than run at once
  std::size_t failed = 0;
  for (std::size_t asked = 0, done = 0; done < count; ++done) {
    for (; asked < count && waiting.size() <= width; ++asked) waiting.push_back(ask(service, run, asked));
    const Answer answer = waiting.front().get();
    waiting.pop_front();
    if (tell) fmt::print(stderr, "\r{} of {} pictures", done + 1, count);
    const auto* const found =
        answer && answer->prediction ? std::get_if<content::Detections>(&*answer->prediction) : nullptr;
    if (found == nullptr) {
      ++failed;
      fmt::print(stderr, "{}bascule: {}: {}\n", tell ? "\r" : "", run.data.pictures[done].string(),
                 answer ? "the model gave no boxes." : answer.error().message);
      continue;
    }
    tally.add(found->rows, tuning::truths_of(run.labels[done], found->picture));
  }
  if (tell) fmt::print(stderr, "\r{:32}\r", "");
  return failed == 0;
}

void print_table(const tuning::Score& score, const content::ClassNames& names,
                 const std::vector<std::string>& notes) {
  fmt::print("{:>22}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "Class", "Images", "Instances", "P", "R",
             "mAP50", "mAP50-95");
  const auto row = [](std::string_view name, std::size_t images, std::size_t instances, double precision,
                      double recall, double map50, double map) {
    fmt::print("{:>22}{:>11}{:>11}{:>11.3g}{:>11.3g}{:>11.3g}{:>11.3g}\n", name, images, instances, precision,
               recall, map50, map);
  };
  row("all", score.images, score.instances, score.precision, score.recall, score.map50, score.map);
  for (const tuning::ClassScore& one : score.classes) {
    row(text::escape_controls(content::name_of(one.class_id, names)), one.images, one.instances,
        one.precision, one.recall, one.ap50, one.ap);
  }
  for (const std::string& note : notes) fmt::print("note: {}\n", note);
}

void print_json(const tuning::Score& score, const content::ModelInfo& model, const Evaluation& run,
                const content::ClassNames& names) {
  const auto figures = [](std::size_t images, std::size_t instances, double precision, double recall,
                          double map50, double map) {
    return fmt::format(
        R"("images":{},"instances":{},"precision":{:.5f},"recall":{:.5f},"map50":{:.5f},"map50_95":{:.5f})",
        images, instances, precision, recall, map50, map);
  };
  std::string classes;
  for (const tuning::ClassScore& one : score.classes) {
    classes += fmt::format("{}\n{{\"class\":{},\"name\":{},{}}}", classes.empty() ? "" : ",", one.class_id,
                           text::json_quoted(content::name_of(one.class_id, names)),
                           figures(one.images, one.instances, one.precision, one.recall, one.ap50, one.ap));
  }
  std::string notes;
  for (const std::string& note : run.notes) notes += (notes.empty() ? "" : ",") + text::json_quoted(note);
  fmt::print("{{\"model\":{},\"imgsz\":{},\"backgrounds\":{},{},\"notes\":[{}],\"classes\":[{}\n]}}\n",
             text::json_quoted(model.name), run.size, run.backgrounds,
             figures(score.images, score.instances, score.precision, score.recall, score.map50, score.map),
             notes, classes);
}

Result<bool> evaluate(LocalModel& model, std::size_t width, Evaluation& run) {
  const content::ModelInfo& info = model.info();
  BASCULE_TRY(check_task(info, run.notes));
  if (!run.data.names.empty() && !info.class_names.empty() && run.data.names != info.class_names) {
    run.notes.emplace_back("the data set and the model name their classes differently; numbers count");
  }
  BASCULE_TRY(read_all_labels(info, run));
  BASCULE_TRY(choose_inputs(info, run));
  tuning::Tally tally;
  const bool whole = judge_all(model.service(), width, run, tally);
  const tuning::Score score = tally.score();
  if (!whole) run.notes.emplace_back("pictures that could not be read are left out");
  if (score.instances == 0) run.notes.emplace_back("there are no labels, so there is nothing to measure");
  const content::ClassNames& names = info.class_names.empty() ? run.data.names : info.class_names;
  if (run.values.flag("json")) {
    print_json(score, info, run, names);
  } else {
    print_table(score, names, run.notes);
  }
  return whole;
}

}  // namespace

int eval(config::Parsed parsed) {
  config::Values& values = parsed.values;
  if (auto completed = complete_values(command("eval"), values); !completed)
    return fail(completed.error(), kUsage);
  if (parsed.positionals.size() != 2) {
    return fail(invalid_argument("Give a model and a data set. See: bascule eval --help"), kUsage);
  }
  auto data = find_data_set(parsed.positionals[1], values.text("split"));
  if (!data) return fail(data.error(), kFailed);
  Evaluation run{.values = values,
                 .data = *std::move(data),
                 .max_pixels = static_cast<std::uint64_t>(values.integer("max_pixels"))};
  run.options.confidence = values.number("conf");
  run.options.iou = values.number("iou");
  run.options.max_detections = static_cast<int>(values.integer("max_det"));
  const std::size_t cores = cores_asked(values);
  const std::size_t width = std::min(run.data.pictures.size(), cores);
  auto model = LocalModel::open(
      parsed.positionals[0],
      {.max_pixels = run.max_pixels, .cores = cores, .width = width, .engines = engine_options(values)});
  if (!model) return fail(model.error(), kFailed);
  const auto whole = evaluate(**model, width, run);
  if (!whole) return fail(whole.error(), kFailed);
  return *whole ? kOk : kFailed;
}

}  // namespace bascule::app

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/model_metadata.h"
#include "tasks/table/rows.h"
#include "tasks/task.h"
#include "tasks/vision/recognise.h"

namespace bascule::tasks {
namespace {

constexpr std::string_view kDetect = "detect";
constexpr std::size_t kShownNames = 5;

bool starts_dynamic(const tensor::TensorSpec& spec) {
  return !spec.shape.empty() && spec.shape.front() == tensor::kDynamic;
}

std::string described(const std::vector<tensor::TensorSpec>& specs) {
  std::string out;
  for (const tensor::TensorSpec& spec : specs) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{} {} {}{}", text::escape_controls(text::shortened(spec.name)),
                       tensor::to_string(spec.type), tensor::to_string(spec.shape),
                       spec.optional ? " (optional)" : "");
  }
  return out;
}

// Collects the understanding of one model.
class Understander {
 public:
  Understander(const backend::ModelSpec& spec, const TaskOptions& options)
      : spec_(spec), options_(options), metadata_(read_model_metadata(spec.metadata)) {}

  Understanding understand() {
    note_tensors();
    note_metadata();
    choose_task();
    if (options_.description.task == content::TaskChoice::kAuto)
      out_.info.proposal = propose(spec_, out_.info);
    return std::move(out_);
  }

 private:
  void fact(std::string name, std::string value, std::string origin) {
    out_.info.facts.push_back({std::move(name), std::move(value), std::move(origin)});
  }

  void note_tensors() {
    content::ModelInfo& info = out_.info;
    info.format = spec_.format;
    info.inputs = spec_.inputs;
    info.outputs = spec_.outputs;
    info.batchable = !spec_.inputs.empty() && !spec_.outputs.empty() &&
                     std::all_of(spec_.inputs.begin(), spec_.inputs.end(), starts_dynamic) &&
                     std::all_of(spec_.outputs.begin(), spec_.outputs.end(), starts_dynamic);
    fact("inputs", described(spec_.inputs), "model file");
    fact("outputs", described(spec_.outputs), "model file");
    fact("batch dimension", info.batchable ? "yes: several requests may share one run" : "no",
         info.batchable ? "every input and output starts with a dynamic dimension"
                        : "not every input and output starts with a dynamic dimension");
  }

  void note_metadata() {
    out_.info.author_version = metadata_.version;
    out_.info.stride = metadata_.stride;
    if (!metadata_.version.empty()) fact("written by version", metadata_.version, "ONNX metadata 'version'");
    if (!metadata_.class_names.empty()) use_class_names(metadata_.class_names, "ONNX metadata 'names'");
    std::move(metadata_.problems.begin(), metadata_.problems.end(), std::back_inserter(out_.info.facts));
  }

  void use_class_names(content::ClassNames names, std::string origin) {
    std::string shown = fmt::format("{}:", names.size());
    std::size_t count = 0;
    for (const auto& [number, name] : names) {
      if (count++ == kShownNames) break;
      shown += fmt::format("{} {} {}", count == 1 ? "" : ",", number,
                           text::escape_controls(text::shortened(name)));
    }
    if (names.size() > kShownNames) shown += ", …";
    fact("class names", std::move(shown), std::move(origin));
    out_.info.class_names = std::move(names);
  }

  void choose_task() {
    if (options_.description.task != content::TaskChoice::kAuto) return take_choice();
    const std::string& task = metadata_.task;
    if (vision::is_picture_task(task)) {
      out_.info.task = task;
      fact("task", task, "ONNX metadata 'task'");
      return serve_pictures();
    }
    if (task.empty() && vision::looks_like_detector(spec_)) {
      out_.info.task = kDetect;
      fact("task", std::string(kDetect), "shapes of the input and the output; the file names no task");
      return serve_pictures();
    }
    const std::string why = task.empty()
                                ? "the file names no task and its shapes are not unmistakable"
                                : fmt::format("ONNX metadata 'task' is '{}', which is not known", task);
    const Result<void> served = serve_rows();
    if (!served) fact("task", "none: served as tensors", why);
    if (!served && !options_.description.columns.empty())
      out_.problem = unfit("columns are named", served.error());
  }

  // What the description says, in place of the file.
  void take_choice() {
    switch (options_.description.task) {
      case content::TaskChoice::kRows:
        if (const auto served = serve_rows(); !served) out_.problem = unfit("task is rows", served.error());
        return;
      case content::TaskChoice::kClassify: return serve_described("classify");
      case content::TaskChoice::kDetect: return serve_described("detect");
      default: return fact("task", "none: served as tensors", "the setting task");
    }
  }

  void serve_described(std::string task) {
    fact("task", task, "the setting task");
    Result<vision::Recognised> model = vision::recognise_described(spec_, options_);
    if (!model) {
      out_.problem = unfit("task is " + task, model.error());
      return;
    }
    out_.info.task = std::move(task);
    if (!options_.description.labels.empty()) {
      content::ClassNames names;
      for (const std::string& label : options_.description.labels) {
        names.emplace(static_cast<int>(names.size()), label);
      }
      use_class_names(std::move(names), "the setting labels");
    }
    take(*std::move(model));
  }

  [[nodiscard]] static Error unfit(std::string_view said, const Error& why) {
    return invalid_argument(fmt::format("Its settings do not fit it: {}, but {}.", said, why.message));
  }

  Result<void> serve_rows() {
    BASCULE_ASSIGN(content::RowFormat format, table::row_format(spec_, options_.description));
    std::string answers;
    for (const content::RowOutput& output : format.outputs) {
      answers += fmt::format("{}{}{}", answers.empty() ? "" : ", ",
                             text::escape_controls(text::shortened(output.key)),
                             output.form == content::RowOutput::Form::kByClass ? " by class" : "");
    }
    fact("task", format.is_text() ? "text" : "rows", "shapes and datatypes");
    fact("rows",
         fmt::format("{} {}{}; answers: {}", format.columns.size(),
                     format.columns.size() == 1 ? "column" : "columns",
                     format.named ? std::string() : ", meant by their place", answers),
         options_.description.columns.empty() ? "shapes and names" : "the setting columns");
    out_.info.rows = std::make_shared<const content::RowFormat>(std::move(format));
    return {};
  }

  void serve_pictures() {
    Result<vision::Recognised> model = vision::recognise(out_.info.task, spec_, metadata_, options_);
    if (!model) {
      if (metadata_.picture_size) out_.info.picture_size = metadata_.picture_size;
      return fact("pictures", "not served, tensors are: " + model.error().message, "shapes and datatypes");
    }
    take(*std::move(model));
  }

  void take(vision::Recognised model) {
    std::move(model.facts.begin(), model.facts.end(), std::back_inserter(out_.info.facts));
    if (out_.info.class_names.empty() && model.classes > 0) {
      content::ClassNames names;
      for (int i = 0; i < model.classes; ++i) names[i] = fmt::format("class{}", i);
      use_class_names(std::move(names), "number of classes in the output shape; the file has no names");
    }
    out_.info.stride = model.stride;
    out_.info.picture_size = model.size;
    out_.task = std::move(model.task);
    fact("pictures", "served", "the task and the output layout");
  }

  const backend::ModelSpec& spec_;
  const TaskOptions& options_;
  ModelMetadata metadata_;
  Understanding out_;
};

}  // namespace

Understanding understand(const backend::ModelSpec& spec, const TaskOptions& options) {
  return Understander(spec, options).understand();
}

}  // namespace bascule::tasks

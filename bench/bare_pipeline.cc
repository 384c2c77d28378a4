// A picture's whole way without a server: decode, letterbox, engine, suppression, in a loop on one thread,
// from the bytes of a file in memory to rows of boxes. Prints what that took as JSON. What the server's
// throughput is compared with, so it goes through the same rooms.
//
//   bare_pipeline --model fruit.onnx --picture bus.jpg --size 640 --seconds 5

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "backend/onnxruntime/onnxruntime_backend.h"
#include "base/file.h"
#include "base/result.h"
#include "tasks/task.h"

namespace bascule {
namespace {

using Steady = std::chrono::steady_clock;

struct Flags {
  std::string model;
  std::string picture;
  int size = 0;  // 0: the model's own
  double seconds = 5;
  double confidence = 0.25;
  int warmup = 3;
  bool fast = false;
};

enum Stage : std::size_t { kPlan, kPrepare, kRun, kFinish, kStages };

double micros_between(Steady::time_point from, Steady::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

// One thread's memory and what it has measured so far.
class Pipeline {
 public:
  Pipeline(const backend::Executable& executable, const tasks::Task& task, content::EncodedPicture picture,
           content::PredictOptions options)
      : executable_(executable), task_(task), picture_(std::move(picture)), options_(options) {}

  // One picture. The slot's memory is kept, as the server's workers keep theirs.
  Result<void> once() {
    std::array<Steady::time_point, kStages + 1> at;
    at[0] = Steady::now();
    BASCULE_ASSIGN(const tasks::Plan plan, task_.plan(picture_, options_));
    at[1] = Steady::now();
    if (slot_.tensor.shape != plan.input_shape) {
      BASCULE_ASSIGN(slot_, tensor::make_tensor(tensor::DataType::kFp32, plan.input_shape));
    }
    BASCULE_TRY(task_.prepare(picture_, plan, scratch_, slot_.bytes));
    at[2] = Steady::now();
    const tensor::NamedTensor input{.name = executable_.spec().inputs.front().name, .tensor = slot_.tensor};
    BASCULE_ASSIGN(const std::vector<tensor::NamedTensor> outputs, executable_.run({&input, 1}, {}));
    at[3] = Steady::now();
    BASCULE_ASSIGN(const content::Prediction prediction, task_.finish(plan, scratch_, outputs));
    at[4] = Steady::now();
    objects_ = std::get<content::Detections>(prediction).rows.size();
    for (std::size_t stage = 0; stage < kStages; ++stage) {
      stage_micros_[stage] += micros_between(at[stage], at[stage + 1]);
    }
    micros_.push_back(micros_between(at.front(), at.back()));
    return {};
  }

  Result<void> run_for(double seconds) {
    micros_.clear();
    stage_micros_ = {};
    const auto start = Steady::now();
    do {
      BASCULE_TRY(once());
      elapsed_ = micros_between(start, Steady::now()) / 1e6;
    } while (elapsed_ < seconds);
    return {};
  }

  [[nodiscard]] std::string report() {
    std::sort(micros_.begin(), micros_.end());
    const auto runs = static_cast<double>(micros_.size());
    const auto quantile = [&](double q) { return micros_[static_cast<std::size_t>(q * (runs - 1))]; };
    const auto& shape = slot_.tensor.shape;
    return fmt::format(
        R"({{"runs":{},"seconds":{:.3f},"p50_us":{:.1f},"p99_us":{:.1f},"per_second":{:.2f},"plan_us":{:.1f},)"
        R"("prepare_us":{:.1f},"run_us":{:.1f},"finish_us":{:.1f},"objects":{},"shape":{}}})",
        micros_.size(), elapsed_, quantile(0.5), quantile(0.99), runs / elapsed_, stage_micros_[kPlan] / runs,
        stage_micros_[kPrepare] / runs, stage_micros_[kRun] / runs, stage_micros_[kFinish] / runs, objects_,
        tensor::to_string(shape));
  }

 private:
  const backend::Executable& executable_;
  const tasks::Task& task_;
  content::EncodedPicture picture_;
  content::PredictOptions options_;
  tasks::Scratch scratch_;
  tensor::MutableTensor slot_;
  std::vector<double> micros_;
  std::array<double, kStages> stage_micros_ = {};
  double elapsed_ = 0;
  std::size_t objects_ = 0;
};

Result<std::string> measure(const Flags& flags) {
  BASCULE_ASSIGN(const auto executable,
                 backend::make_onnxruntime_backend()->load(flags.model, {.threads = 1}));
  const tasks::Understanding understanding = tasks::understand(
      executable->spec(), {.decode = flags.fast ? content::DecodeMode::kFast : content::DecodeMode::kExact});
  if (understanding.task == nullptr) return invalid_argument("The model is no detector.");
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(flags.picture, 100'000'000));
  content::PredictOptions options{.confidence = flags.confidence};
  if (flags.size > 0) options.size = content::PictureSize{.height = flags.size, .width = flags.size};
  Pipeline pipeline(*executable, *understanding.task,
                    {.bytes = bytes, .owner = nullptr, .name = flags.picture}, options);
  for (int i = 0; i < flags.warmup; ++i) BASCULE_TRY(pipeline.once());
  BASCULE_TRY(pipeline.run_for(flags.seconds));
  return pipeline.report();
}

}  // namespace
}  // namespace bascule

int main(int argc, char** argv) {
  bascule::Flags flags;
  CLI::App app("Serves one picture in a loop, without a server");
  app.add_option("--model", flags.model, "ONNX file of a detector")->required();
  app.add_option("--picture", flags.picture, "Picture file")->required();
  app.add_option("--size,--imgsz", flags.size, "Side of the model's input; 0: the model's own")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seconds", flags.seconds, "How long to run")->check(CLI::PositiveNumber);
  app.add_option("--conf", flags.confidence, "Confidence threshold");
  app.add_option("--warmup", flags.warmup, "Runs before the clock starts")->check(CLI::NonNegativeNumber);
  app.add_flag("--fast", flags.fast, "Decode large JPEGs at a fraction of their sides (the setting decode)");
  CLI11_PARSE(app, argc, argv);
  const auto report = bascule::measure(flags);
  if (!report) {
    std::fprintf(stderr, "bare_pipeline: %s\n", report.error().message.c_str());
    return 1;
  }
  std::puts(report->c_str());
  return 0;
}

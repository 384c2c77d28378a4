// What a JPEG costs before and after the engine, step by step on one thread. Prints medians as JSON.
//
//   picture_steps --model fruit.onnx --picture bus.jpg --size 640 --rounds 30

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <turbojpeg.h>
#include <CLI/CLI.hpp>

#include "backend/onnxruntime/onnxruntime_backend.h"
#include "base/file.h"
#include "base/result.h"
#include "image/decode.h"
#include "image/letterbox.h"
#include "tasks/task.h"

namespace bascule {
namespace {

using Steady = std::chrono::steady_clock;

struct Flags {
  std::string model;
  std::string picture;
  int size = 640;
  int rounds = 30;
};

struct FreeTurbo {
  void operator()(void* handle) const { tjDestroy(handle); }
};

// libjpeg-turbo by itself, with the settings of image::decode: what decoding cannot be faster than.
Result<void> decode_bare(std::span<const std::byte> bytes, std::vector<unsigned char>& out) {
  const std::unique_ptr<void, FreeTurbo> handle(tjInitDecompress());
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colours = 0;
  if (tjDecompressHeader3(handle.get(), data, bytes.size(), &width, &height, &subsampling, &colours) != 0) {
    return invalid_argument("The picture is no JPEG.");
  }
  out.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  if (tjDecompress2(handle.get(), data, bytes.size(), out.data(), width, 0, height, TJPF_RGB,
                    TJFLAG_ACCURATEDCT) != 0) {
    return invalid_argument("The picture cannot be decoded.");
  }
  return {};
}

// The steps take turns, so that a drift of the machine meets all alike.
class Clocked {
 public:
  void add(std::string name, std::function<Result<void>()> step) {
    steps_.push_back({std::move(name), std::move(step), {}});
  }

  Result<std::string> run(int rounds) {
    for (int round = -1; round < rounds; ++round) {  // one that does not count
      for (Step& step : steps_) {
        const auto start = Steady::now();
        BASCULE_TRY(step.run());
        const std::chrono::duration<double, std::micro> took = Steady::now() - start;
        if (round >= 0) step.micros.push_back(took.count());
      }
    }
    std::string out = "{";
    for (Step& step : steps_) {
      std::ranges::nth_element(step.micros, step.micros.begin() + rounds / 2);
      out += fmt::format("{}\"{}_us\":{:.1f}", out.size() > 1 ? "," : "", step.name,
                         step.micros[static_cast<std::size_t>(rounds / 2)]);
    }
    return out + "}";
  }

 private:
  struct Step {
    std::string name;
    std::function<Result<void>()> run;
    std::vector<double> micros;
  };
  std::vector<Step> steps_;
};

Result<std::string> measure(const Flags& flags) {
  BASCULE_ASSIGN(const auto executable,
                 backend::make_onnxruntime_backend()->load(flags.model, {.threads = 1}));
  const tasks::Understanding exact = tasks::understand(executable->spec(), {});
  const tasks::Understanding fast =
      tasks::understand(executable->spec(), {.decode = content::DecodeMode::kFast});
  if (exact.task == nullptr) return invalid_argument("The model is no detector.");
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(flags.picture, 100'000'000));
  const content::EncodedPicture picture{.bytes = bytes, .owner = nullptr, .name = flags.picture};
  const content::PredictOptions options{.size =
                                            content::PictureSize{.height = flags.size, .width = flags.size}};
  BASCULE_ASSIGN(const tasks::Plan plan, exact.task->plan(picture, options));
  BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(plan.input_type, plan.input_shape));
  tasks::Scratch scratch;
  BASCULE_TRY(exact.task->prepare(picture, plan, scratch, slot.bytes));
  const tensor::NamedTensor input{.name = executable->spec().inputs.front().name, .tensor = slot.tensor};
  BASCULE_ASSIGN(const std::vector<tensor::NamedTensor> outputs, executable->run({&input, 1}, {}));

  std::vector<unsigned char> bare;
  image::Bitmap bitmap;
  image::LetterboxScratch letterbox;
  std::vector<float> planes(slot.elements<float>().size());
  const auto whole = [&](const tasks::Task& task) -> Result<void> {
    BASCULE_ASSIGN(const tasks::Plan own, task.plan(picture, options));
    BASCULE_TRY(task.prepare(picture, own, scratch, slot.bytes));
    BASCULE_TRY(task.finish(own, scratch, outputs));
    return {};
  };
  Clocked clocked;
  clocked.add("libjpeg", [&] { return decode_bare(bytes, bare); });
  clocked.add("decode", [&] { return image::decode(bytes, {}, bitmap); });
  clocked.add("letterbox", [&]() -> Result<void> {
    image::letterbox_to_chw(bitmap, plan.letterbox, letterbox, planes);
    return {};
  });
  clocked.add("whole", [&] { return whole(*exact.task); });
  clocked.add("whole_fast", [&] { return whole(*fast.task); });
  return clocked.run(flags.rounds);
}

}  // namespace
}  // namespace bascule

int main(int argc, char** argv) {
  bascule::Flags flags;
  CLI::App app("What a JPEG costs before and after the engine");
  app.add_option("--model", flags.model, "ONNX file of a detector")->required();
  app.add_option("--picture", flags.picture, "JPEG file")->required();
  app.add_option("--size", flags.size, "Side of the model's input")->check(CLI::PositiveNumber);
  app.add_option("--rounds", flags.rounds, "Turns of each step")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const auto report = bascule::measure(flags);
  if (!report) {
    std::fprintf(stderr, "picture_steps: %s\n", report.error().message.c_str());
    return 1;
  }
  std::puts(report->c_str());
  return 0;
}

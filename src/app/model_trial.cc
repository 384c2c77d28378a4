#include "app/model_trial.h"

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/text.h"
#include "catalog/batch_trial.h"
#include "catalog/loader.h"
#include "catalog/warm_up.h"
#include "image/decode.h"
#include "image/encode.h"
#include "tuning/agreement.h"

namespace bascule::app {
namespace {

constexpr std::size_t kCompared = 32;  // samples whose answers are compared
constexpr std::size_t kJudged = 200;   // with labels
constexpr std::size_t kTimed = 8;      // samples that speed is measured with, in turns
constexpr std::size_t kFewShapes = 4;  // each is compiled and takes memory
constexpr std::size_t kLeastRuns = 3;
constexpr double kEnoughMs = 600;                   // of runs, for a probe
constexpr std::uint64_t kKeptLoaded = 200'000'000;  // bytes; of larger files one is loaded at a time
constexpr double kJudgedConfidence = 0.001;         // a curve of precision needs nearly all boxes

double median(std::vector<double>& values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// A picture with edges and textures of many sizes, the same at every call.
content::EncodedPicture made_up_picture(int height, int width) {
  image::Bitmap bitmap{.height = height, .width = width, .pixels = {}};
  bitmap.pixels.resize(bitmap.row_bytes() * static_cast<std::size_t>(height));
  std::mt19937 random(7);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::uint8_t* const pixel = bitmap.row(y) + static_cast<std::ptrdiff_t>(x) * 3;
      const bool square = (x / 64 + y / 64) % 3 == 0;
      pixel[0] = static_cast<std::uint8_t>(x * 255 / width);
      pixel[1] = static_cast<std::uint8_t>(y * 255 / height);
      pixel[2] = static_cast<std::uint8_t>(square ? 200 + random() % 32 : random() % 64);
    }
  }
  auto encoded = image::encode_jpeg(bitmap);
  const auto bytes = std::make_shared<const std::vector<std::byte>>(encoded ? *std::move(encoded)
                                                                            : std::vector<std::byte>{});
  return {.bytes = *bytes, .owner = bytes, .name = "a made-up picture"};
}

// Numbers between 0 and 1, small whole ones, or words.
Result<tensor::Tensor> made_up_tensor(const tensor::TensorSpec& spec, tensor::Shape shape,
                                      std::mt19937& random) {
  using tensor::DataType;
  if (spec.type == DataType::kString) {
    BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
    const std::vector<std::string_view> words(count, "a line of plain text");
    return tensor::make_string_tensor(std::move(shape), words);
  }
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(spec.type, std::move(shape)));
  const auto uniform = [&] { return std::uniform_real_distribution<float>(0, 1)(random); };
  if (spec.type == DataType::kFp32) {
    for (float& value : out.elements<float>()) value = uniform();
  } else if (spec.type == DataType::kFp64) {
    for (double& value : out.elements<double>()) value = static_cast<double>(uniform());
  } else if (spec.type == DataType::kFp16) {
    for (std::uint16_t& value : out.elements<std::uint16_t>()) value = tensor::float_to_fp16(uniform());
  } else {
    std::ranges::fill(out.bytes, std::byte{});
  }
  return std::move(out.tensor);
}

Result<content::InferRequest> made_up_request(const content::ModelInfo& info) {
  content::InferRequest request;
  request.dialect = "cli";
  std::mt19937 random(7);
  for (const tensor::TensorSpec& spec : info.inputs) {
    if (spec.optional) continue;
    BASCULE_ASSIGN(tensor::Tensor tensor, made_up_tensor(spec, catalog::warm_up_shape(spec, info), random));
    request.inputs.push_back({.name = spec.name, .tensor = std::move(tensor)});
  }
  return request;
}

// Keeps `depth` requests under way for `time`, and three at least are answered. Requests a second. Errors:
// the first that comes.
Result<double> rate_of(serving::InferenceService& service, const std::vector<content::InferRequest>& requests,
                       std::size_t depth, Duration time) {
  struct State {
    std::size_t asked = 0;
    std::size_t done = 0;
    std::optional<Error> wrong;
    TimePoint end{};
  };
  Mutex mutex;
  ConditionVariable changed;
  State state;
  const SteadyClock clock;
  const TimePoint begin = clock.now();
  const auto ask = [&](std::size_t number) {
    content::InferRequest request = requests[number % requests.size()];
    request.caller = number % depth + 1;
    service.infer(std::move(request), [&](Result<content::InferResponse> answer, bool last) {
      if (!last) return;
      const MutexLock lock(mutex);
      if (!answer && !state.wrong) state.wrong = std::move(answer).error();
      ++state.done;
      state.end = clock.now();
      changed.notify_one();
    });
  };
  while (true) {
    std::size_t number = 0;
    {
      const MutexLock lock(mutex);
      changed.wait(mutex, [&] { return state.asked - state.done < depth; });
      if ((clock.now() - begin >= time && state.done >= kLeastRuns) || state.wrong) break;
      number = state.asked++;
    }
    ask(number);
  }
  const MutexLock lock(mutex);
  changed.wait(mutex, [&] { return state.done == state.asked; });
  if (state.wrong) return *std::move(state.wrong);
  return static_cast<double>(state.done) / std::max(to_seconds(state.end - begin), 1e-9);
}

Result<double> latency_of(serving::InferenceService& service,
                          const std::vector<content::InferRequest>& requests, Duration time) {
  const SteadyClock clock;
  const TimePoint begin = clock.now();
  std::vector<double> all;
  while (all.size() < kLeastRuns || clock.now() - begin < time) {
    const TimePoint sent = clock.now();
    BASCULE_ASSIGN(const auto answer, service.infer_and_wait(requests[all.size() % requests.size()]));
    all.push_back(to_ms(clock.now() - sent));
  }
  return median(all);
}

// Whether its engine compiles the model for shapes of its input that are open in the file.
bool gains_by_shapes(const tuning::Candidate& candidate, const content::ModelInfo& info) {
  return candidate.engine == "openvino" && info.inputs.size() == 1 &&
         std::ranges::find(info.inputs.front().shape, tensor::kDynamic) != info.inputs.front().shape.end();
}

}  // namespace

ModelTrial::ModelTrial(std::shared_ptr<const Engines> engines, catalog::ModelSource source,
                       content::ModelSettings settings, TrialInputs inputs)
    : engines_(std::move(engines)),
      source_(std::move(source)),
      settings_(std::move(settings)),
      inputs_(std::move(inputs)) {
  for (std::size_t i = 0; i < std::min(inputs_.samples.size(), kTimed); ++i) {
    timed_.push_back(inputs_.samples[i]);
  }
}

Result<std::shared_ptr<LocalModel>> ModelTrial::load(const tuning::Candidate& candidate) {
  const std::string key = tuning::describe(candidate);
  if (const auto found = loaded_.find(key); found != loaded_.end()) return found->second;
  if (!loaded_.empty() && loaded_.begin()->second->info().file_bytes > kKeptLoaded) loaded_.clear();
  content::ModelSettings settings = tuning::with(settings_, candidate);
  // Whatever waits here was sent by the trial itself.
  settings.max_queue_size = 0;
  settings.queue_budget = {};
  const SteadyClock clock;
  BASCULE_ASSIGN(catalog::Handle model,
                 catalog::load_model(
                     source_, engines_->of(source_),
                     {.task = {.max_pixels = inputs_.max_pixels}, .settings = std::move(settings)}, clock));
  auto local = std::make_shared<LocalModel>(engines_, std::move(model), inputs_.cores);
  loaded_.emplace(key, local);
  return local;
}

Result<void> ModelTrial::make_up_samples(const LocalModel& model) {
  made_up_ = true;
  if (model.takes_pictures()) {
    for (const auto& [height, width] : {std::pair(1080, 810), std::pair(720, 1280)}) {
      content::InferRequest request;
      request.dialect = "cli";
      request.picture = made_up_picture(height, width);
      timed_.push_back(std::move(request));
    }
  }
  // Answers are compared as tensors: a made-up picture shows nothing that could be found.
  BASCULE_ASSIGN(content::InferRequest request, made_up_request(model.info()));
  if (timed_.empty()) timed_.push_back(request);
  inputs_.samples.push_back(std::move(request));
  return {};
}

Result<std::vector<content::InferResponse>> ModelTrial::answers(LocalModel& model) {
  std::vector<content::InferResponse> out;
  for (std::size_t i = 0; i < std::min(inputs_.samples.size(), kCompared); ++i) {
    BASCULE_ASSIGN(content::InferResponse answer, model.service().infer_and_wait(inputs_.samples[i]));
    out.push_back(std::move(answer));
  }
  return out;
}

// Mean average precision over the labelled samples.
Result<double> ModelTrial::precision(LocalModel& model) {
  tuning::Tally tally;
  for (std::size_t i = 0; i < std::min(inputs_.samples.size(), kJudged); ++i) {
    content::InferRequest request = inputs_.samples[i];
    request.options.confidence = kJudgedConfidence;
    BASCULE_ASSIGN(const content::InferResponse answer, model.service().infer_and_wait(std::move(request)));
    const auto* const found =
        answer.prediction ? std::get_if<content::Detections>(&*answer.prediction) : nullptr;
    if (found == nullptr) {
      return invalid_argument("Labels are of boxes, and the model gives none; leave out --labels.");
    }
    tally.add(found->rows, tuning::truths_of(inputs_.labels[i], found->picture));
  }
  return tally.score().map;
}

Result<double> ModelTrial::drop(LocalModel& model) {
  if (!inputs_.labels.empty()) {
    BASCULE_ASSIGN(const double map, precision(model));
    if (reference_precision_ < 0) reference_precision_ = map;
    return std::max(0.0, reference_precision_ - map);
  }
  BASCULE_ASSIGN(std::vector<content::InferResponse> got, answers(model));
  if (reference_.empty()) reference_ = got;
  tuning::Agreement agreement;
  for (std::size_t i = 0; i < got.size(); ++i) agreement.add(reference_[i], got[i]);
  return agreement.drop();
}

// Those that the input would have in runs of the pictures.
std::set<tensor::Shape> ModelTrial::planned_shapes(const LocalModel& model) const {
  std::set<tensor::Shape> shapes;
  for (const content::InferRequest& sample : inputs_.samples) {
    if (!sample.picture || model.task() == nullptr) continue;
    const auto plan = model.task()->plan(*sample.picture, sample.options);
    if (plan) shapes.insert(plan->input_shape);
  }
  return shapes;
}

// Whether most pictures are JPEGs of at least twice the input's sides.
bool ModelTrial::fast_decode(const LocalModel& model) const {
  std::size_t large = 0;
  for (const content::InferRequest& one : timed_) {
    if (!one.picture || model.task() == nullptr) return false;
    const auto header = image::read_header(one.picture->bytes, {.max_pixels = inputs_.max_pixels});
    const auto plan = model.task()->plan(*one.picture, one.options);
    if (!header || !plan || plan->input_shape.size() != 4 || header->format != image::Format::kJpeg) continue;
    const auto longest = std::max(plan->input_shape[2], plan->input_shape[3]);
    if (std::max(header->height, header->width) >= 2 * longest) ++large;
  }
  return 2 * large > timed_.size();
}

Result<tuning::Probe> ModelTrial::probe(const tuning::Candidate& candidate) {
  BASCULE_ASSIGN(const std::shared_ptr<LocalModel> model, load(candidate));
  if (inputs_.samples.empty()) BASCULE_TRY(make_up_samples(*model));
  tuning::Probe out;
  BASCULE_ASSIGN(out.drop, drop(*model));
  std::vector<double> runs;
  double sum = 0;
  while (runs.size() < kLeastRuns || (sum < kEnoughMs && runs.size() < 50)) {
    BASCULE_ASSIGN(const content::InferResponse answer,
                   model->service().infer_and_wait(timed_[runs.size() % timed_.size()]));
    runs.push_back(to_ms(answer.stages.run));
    sum += runs.back();
  }
  out.run_ms = median(runs);
  const std::set<tensor::Shape> shapes = planned_shapes(*model);
  out.many_shapes = shapes.size() > 1;
  if (gains_by_shapes(candidate, model->info()) && shapes.size() <= kFewShapes) {
    out.shapes.assign(shapes.begin(), shapes.end());
  }
  // Made-up pictures show nothing whose boxes could be compared.
  out.fast_decode = !made_up_ && fast_decode(*model);
  if (model->info().batchable && out.run_ms >= tuning::kLongRunMs) {
    const SteadyClock clock;
    const auto shape = [&](const tensor::TensorSpec& spec) {
      return catalog::warm_up_shape(spec, model->info());
    };
    const auto trial = catalog::try_batch(model->executable(), shape, tuning::kSharedRows, clock);
    if (trial && trial->independent) {
      out.row_gain = to_seconds(trial->alone) / std::max(to_seconds(trial->each), 1e-9);
    }
  }
  return out;
}

Result<tuning::Speed> ModelTrial::measure(const tuning::Candidate& candidate, Duration time) {
  BASCULE_ASSIGN(const std::shared_ptr<LocalModel> model, load(candidate));
  // The first of a newly loaded model pays for memory.
  BASCULE_ASSIGN(const auto first, model->service().infer_and_wait(timed_.front()));
  tuning::Speed out;
  BASCULE_ASSIGN(out.latency_ms, latency_of(model->service(), timed_, time / 2));
  const std::size_t depth = 2 * candidate.instances * std::max<std::size_t>(candidate.max_batch_size, 1);
  BASCULE_ASSIGN(out.rate, rate_of(model->service(), timed_, depth, time / 2));
  return out;
}

}  // namespace bascule::app

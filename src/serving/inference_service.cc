#include "serving/inference_service.h"

#include <future>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "backend/backend.h"
#include "serving/inline_policy.h"

namespace bascule::serving {
namespace {

std::size_t total_bytes(std::span<const tensor::NamedTensor> tensors) {
  std::size_t total = 0;
  for (const auto& tensor : tensors) total += tensor.tensor.bytes.size();
  return total;
}

Error takes_no_pictures(const content::ModelInfo& model) {
  return invalid_argument(fmt::format(
      "Model '{}' takes tensors, not pictures{}; send its inputs to /v2/models/{}/infer.", model.name,
      model.task.empty() ? "" : fmt::format(" (task '{}' is not served for pictures yet)", model.task),
      model.name));
}

// The slot of the last request again where it fits, else a new one.
Result<void> fit_slot(const tensor::Shape& shape, tensor::MutableTensor& slot) {
  if (slot.tensor.owner != nullptr && slot.tensor.shape == shape && slot.tensor.owner.use_count() == 1)
    return {};
  BASCULE_ASSIGN(slot, tensor::make_tensor(tensor::DataType::kFp32, shape));
  return {};
}

// A picture beyond this is an exception, whose memory goes with it: else one of each size that is allowed
// would keep 300 MB for every worker.
constexpr std::size_t kKeptPixels = std::size_t{32} << 20U;  // bytes, a picture of 11 megapixels

void forget_large_pictures(tasks::Scratch& scratch) {
  if (scratch.bitmap.pixels.capacity() > kKeptPixels) scratch.bitmap = {};
}

}  // namespace

struct InferenceService::Job {
  content::InferRequest request;
  Sink sink;
  catalog::Handle model;
  tasks::Plan plan;  // with a picture
  TimePoint accepted;
  content::Stages stages;
};

InferenceService::InferenceService(const catalog::Catalog& catalog, Executor& executor, const Clock& clock,
                                   InferenceOptions options)
    : catalog_(catalog), executor_(executor), clock_(clock), options_(options) {}

void InferenceService::infer(content::InferRequest request, Sink sink) {
  const bool picture = request.picture.has_value();
  Result<catalog::Handle> model = catalog_.pin(request.model, request.version, picture);
  if (!model) return sink(std::move(model).error(), true);
  auto job = std::make_shared<Job>(Job{.request = std::move(request),
                                       .sink = std::move(sink),
                                       .model = *std::move(model),
                                       .accepted = clock_.now()});
  if (picture) {
    infer_picture(std::move(job));
  } else {
    infer_tensors(std::move(job));
  }
}

void InferenceService::infer_tensors(std::shared_ptr<Job> job) {
  const backend::ModelSpec& spec = job->model->executable->spec();
  if (auto checked = backend::check_inputs(spec, job->request.inputs); !checked) {
    return job->sink(std::move(checked).error(), true);
  }
  if (auto checked = backend::check_outputs(spec, job->request.outputs); !checked) {
    return job->sink(std::move(checked).error(), true);
  }
  if (runs_inline({.measured_run = job->model->measured_run,
                   .measured_bytes = job->model->measured_bytes,
                   .request_bytes = total_bytes(job->request.inputs),
                   .limit = options_.inline_run})) {
    Answer answer = run_tensors(*job);
    return job->sink(std::move(answer), true);
  }
  post(std::move(job), &InferenceService::run_tensors);
}

void InferenceService::infer_picture(std::shared_ptr<Job> job) {
  if (job->model->task == nullptr) return job->sink(takes_no_pictures(*job->model->info), true);
  Result<tasks::Plan> plan = job->model->task->plan(*job->request.picture, job->request.options);
  if (!plan) return job->sink(std::move(plan).error(), true);
  job->plan = *std::move(plan);
  post(std::move(job), &InferenceService::run_picture);
}

void InferenceService::post(std::shared_ptr<Job> job, Answer (InferenceService::*work)(Job&)) {
  // The job is shared so that its sink survives a refused post.
  auto posted = executor_.post([this, job, work] {
    job->stages.queue = clock_.now() - job->accepted;
    Answer answer = (this->*work)(*job);
    job->sink(std::move(answer), true);
  });
  if (!posted) job->sink(std::move(posted).error(), true);
}

InferenceService::Answer InferenceService::run_tensors(Job& job) {
  const TimePoint start = clock_.now();
  BASCULE_ASSIGN(std::vector<tensor::NamedTensor> outputs,
                 job.model->executable->run(job.request.inputs, job.request.outputs));
  job.stages.run = clock_.now() - start;
  return answer_of(job, std::move(outputs));
}

InferenceService::Answer InferenceService::run_picture(Job& job) {
  const catalog::LoadedModel& model = *job.model;
  std::unique_ptr<Workspace> space = take_workspace();
  const auto compute = [&]() -> Answer {
    const TimePoint start = clock_.now();
    BASCULE_TRY(fit_slot(job.plan.input_shape, space->slot));
    BASCULE_TRY(
        model.task->prepare(*job.request.picture, job.plan, space->scratch, space->slot.elements<float>()));
    const TimePoint prepared = clock_.now();
    job.stages.prepare = prepared - start;
    const tensor::NamedTensor input{.name = model.executable->spec().inputs.front().name,
                                    .tensor = space->slot.tensor};
    BASCULE_ASSIGN(const std::vector<tensor::NamedTensor> outputs, model.executable->run({&input, 1}, {}));
    const TimePoint ran = clock_.now();
    job.stages.run = ran - prepared;
    BASCULE_ASSIGN(content::Prediction prediction, model.task->finish(job.plan, space->scratch, outputs));
    job.stages.finish = clock_.now() - ran;
    BASCULE_ASSIGN(content::InferResponse response, answer_of(job, {}));
    response.prediction = std::move(prediction);
    return response;
  };
  Answer answer = compute();
  forget_large_pictures(space->scratch);
  workspaces_.with([&](auto& free) { free.push_back(std::move(space)); });
  return answer;
}

InferenceService::Answer InferenceService::answer_of(Job& job,
                                                     std::vector<tensor::NamedTensor> outputs) const {
  return content::InferResponse{.model = job.model->info,
                                .id = std::move(job.request.id),
                                .outputs = std::move(outputs),
                                .prediction = {},
                                .stages = job.stages};
}

std::unique_ptr<InferenceService::Workspace> InferenceService::take_workspace() {
  auto space = workspaces_.with([](auto& free) -> std::unique_ptr<Workspace> {
    if (free.empty()) return nullptr;
    auto last = std::move(free.back());
    free.pop_back();
    return last;
  });
  return space != nullptr ? std::move(space) : std::make_unique<Workspace>();
}

Result<content::InferResponse> InferenceService::infer_and_wait(content::InferRequest request) {
  std::promise<Result<content::InferResponse>> promise;
  auto answer = promise.get_future();
  infer(std::move(request), [&promise](Result<content::InferResponse> result, bool last) {
    if (last) promise.set_value(std::move(result));
  });
  return answer.get();
}

}  // namespace bascule::serving

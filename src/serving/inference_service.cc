#include "serving/inference_service.h"

#include <algorithm>
#include <future>
#include <span>

#include <fmt/format.h>

#include "backend/backend.h"
#include "serving/joining.h"

namespace bascule::serving {
namespace {

// A run at load that took longer says nothing of what is to come.
constexpr Duration kLongestExpected = std::chrono::minutes(1);

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

}  // namespace

// A request on its way: what waits, and what becomes part of a run.
struct InferenceService::Ask final : batching::Item {
  void refuse(Error why) override { sink(std::move(why), true); }

  RunPart part;
  Sink sink;
  catalog::Handle model;
};

InferenceService::InferenceService(const catalog::Catalog& catalog, Runtime runtime, InferenceOptions options)
    : catalog_(catalog), runtime_(runtime), options_(options), runner_(runtime.clock) {}

void InferenceService::infer(content::InferRequest request, Sink sink) {
  const bool picture = request.picture.has_value();
  Result<catalog::Handle> model = catalog_.pin(request.model, request.version, picture);
  if (!model) return sink(std::move(model).error(), true);
  auto ask = std::make_unique<Ask>();
  ask->deadline = request.deadline;
  ask->cancelled = request.cancelled;
  ask->part.request = std::move(request);
  ask->sink = std::move(sink);
  ask->model = *std::move(model);
  if (picture) {
    infer_picture(std::move(ask));
  } else {
    infer_tensors(std::move(ask));
  }
}

void InferenceService::infer_tensors(std::unique_ptr<Ask> ask) {
  const catalog::LoadedModel& model = *ask->model;
  const backend::ModelSpec& spec = model.executable->spec();
  const content::InferRequest& request = ask->part.request;
  if (auto checked = backend::check_inputs(spec, request.inputs); !checked) {
    return ask->sink(std::move(checked).error(), true);
  }
  if (auto checked = backend::check_outputs(spec, request.outputs); !checked) {
    return ask->sink(std::move(checked).error(), true);
  }
  InlineSituation situation{.measured_run = model.measured_run,
                            .measured_bytes = model.measured_bytes,
                            .request_bytes = total_bytes(request.inputs),
                            .limit = options_.inline_run,
                            .saved_by_sharing = model.saved_by_sharing};
  std::shared_ptr<Queue> queue;
  if (shares(situation)) {
    queue = queue_of(ask->model);
    const std::uint64_t last = queue->last_caller.exchange(request.caller, std::memory_order_relaxed);
    situation.alone = last == request.caller && queue->batcher->idle();
  }
  const bool late = ask->deadline && *ask->deadline <= runtime_.clock.now();
  if (runs_inline(situation) && !late) {
    RunPart* const part = &ask->part;
    runner_.run(model, {&part, 1});
    return ask->sink(std::move(part->answer), true);
  }
  if (model.max_batch_size > 1) {
    ask->key = join_key(request.inputs, request.outputs);
    if (!ask->key.empty()) ask->rows = static_cast<std::size_t>(request.inputs[0].tensor.shape[0]);
  }
  if (queue == nullptr) queue = queue_of(ask->model);
  queue->batcher->submit(std::move(ask));
}

void InferenceService::infer_picture(std::unique_ptr<Ask> ask) {
  const catalog::LoadedModel& model = *ask->model;
  if (model.task == nullptr) return ask->sink(takes_no_pictures(*model.info), true);
  Result<tasks::Plan> plan = model.task->plan(*ask->part.request.picture, ask->part.request.options);
  if (!plan) return ask->sink(std::move(plan).error(), true);
  ask->part.plan = *std::move(plan);
  if (model.max_batch_size > 1) ask->key = "picture " + tensor::to_string(ask->part.plan.input_shape);
  const auto queue = queue_of(ask->model);
  queue->batcher->submit(std::move(ask));
}

void InferenceService::run(batching::Batch batch) {
  const TimePoint start = runtime_.clock.now();
  std::vector<RunPart*> parts;
  parts.reserve(batch.size());
  std::size_t rows = 0;
  for (const auto& item : batch) {
    Ask& ask = static_cast<Ask&>(*item);
    ask.part.stages.queue = start - ask.since;
    rows += ask.rows;
    parts.push_back(&ask.part);
  }
  const catalog::LoadedModel& model = *static_cast<Ask&>(*batch[0]).model;
  runner_.run(model, parts);
  runtime_.metrics.batch_done(model.info->name, model.info->version, rows);
  if (options_.sabotage == batching::Sabotage::kSwapAnswers && parts.size() > 1) {
    std::swap(parts[0]->answer, parts[1]->answer);
  }
  if (options_.sabotage == batching::Sabotage::kForgetAnswer && parts.size() > 1) batch.pop_back();
  for (const auto& item : batch) {
    Ask& ask = static_cast<Ask&>(*item);
    if (options_.sabotage == batching::Sabotage::kAnswerTwice) ask.sink(ask.part.answer, true);
    ask.sink(std::move(ask.part.answer), true);
  }
}

std::shared_ptr<InferenceService::Queue> InferenceService::queue_of(const catalog::Handle& model) {
  return queues_.with([&](Queues& queues) {
    const auto found = queues.find(model.get());
    if (found != queues.end() && !found->second->model.expired()) return found->second;
    std::erase_if(queues, [](const auto& entry) { return entry.second->model.expired(); });
    auto made = std::make_shared<Queue>();
    made->model = model;
    made->batcher = make_queue(*model);
    queues.insert_or_assign(model.get(), made);
    return made;
  });
}

std::shared_ptr<batching::Batcher> InferenceService::make_queue(const catalog::LoadedModel& model) {
  const bool measured = model.measured_run < kLongestExpected;
  return std::make_shared<batching::Batcher>(
      batching::BatcherOptions{.model = model.info->name,
                               .instances = std::max<std::size_t>(runtime_.executor.width(), 1),
                               .policy = {.max_batch_size = model.max_batch_size,
                                          .preferred_batch_size = model.settings.preferred_batch_size,
                                          .max_queue_delay = model.settings.max_queue_delay},
                               .limits = {.max_queue_size = model.settings.max_queue_size,
                                          .queue_budget = model.settings.queue_budget},
                               .expected_run = measured ? model.measured_run : Duration{},
                               .sabotage = options_.sabotage},
      batching::Driver{.executor = runtime_.executor, .timer = runtime_.timer, .clock = runtime_.clock},
      [this](batching::Batch batch) { run(std::move(batch)); });
}

std::vector<std::pair<std::shared_ptr<const content::ModelInfo>, std::size_t>> InferenceService::waiting()
    const {
  std::vector<std::pair<std::shared_ptr<const content::ModelInfo>, std::size_t>> out;
  queues_.with([&](const Queues& queues) {
    for (const auto& [address, queue] : queues) {
      if (const auto model = queue->model.lock()) out.emplace_back(model->info, queue->batcher->waiting());
    }
  });
  return out;
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

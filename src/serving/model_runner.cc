#include "serving/model_runner.h"

#include <utility>

#include "backend/backend.h"
#include "serving/joining.h"

namespace bascule::serving {
namespace {

using Outputs = std::vector<tensor::NamedTensor>;

content::InferResponse answer_of(const catalog::LoadedModel& model, RunPart& part) {
  return {.model = model.info,
          .id = std::move(part.request.id),
          .outputs = {},
          .prediction = {},
          .stages = part.stages};
}

void answer_tensors(const catalog::LoadedModel& model, RunPart& part, Outputs outputs) {
  content::InferResponse response = answer_of(model, part);
  response.outputs = std::move(outputs);
  part.answer = std::move(response);
}

// Whether a part that could not be run with the others must not be run any more; it then has its answer.
bool too_late(RunPart& part, TimePoint now) {
  if (part.request.cancelled != nullptr && part.request.cancelled->load(std::memory_order_relaxed)) {
    part.answer =
        Error{.code = Code::kCancelled, .message = "The caller went away before the request was run."};
    return true;
  }
  if (!part.request.deadline || now < *part.request.deadline) return false;
  part.answer = Error{.code = Code::kDeadlineExceeded,
                      .message = "The request's time was over before it could be run by itself."};
  return true;
}

// The slot of the last run again where it fits, else a new one.
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

void ModelRunner::run(const catalog::LoadedModel& model, Parts parts) {
  if (!parts[0]->request.picture) return run_tensors(model, parts);
  std::unique_ptr<Workspace> space = take_workspace();
  run_pictures(model, parts, *space);
  forget_large_pictures(space->scratch);
  workspaces_.with([&](auto& free) { free.push_back(std::move(space)); });
}

void ModelRunner::run_tensors(const catalog::LoadedModel& model, Parts parts) {
  if (parts.size() > 1 && run_joined_tensors(model, parts)) return;
  for (RunPart* const part : parts) {
    const TimePoint start = clock_.now();
    if (too_late(*part, start)) continue;
    auto outputs = model.executable->run(part->request.inputs, part->request.outputs);
    part->stages.run = clock_.now() - start;
    if (outputs) {
      answer_tensors(model, *part, *std::move(outputs));
    } else {
      part->answer = std::move(outputs).error();
    }
  }
}

// False: nothing was answered.
bool ModelRunner::run_joined_tensors(const catalog::LoadedModel& model, Parts parts) {
  const TimePoint start = clock_.now();
  std::vector<std::span<const tensor::NamedTensor>> inputs;
  std::size_t total = 0;
  for (const RunPart* const part : parts) {
    inputs.emplace_back(part->request.inputs);
    total += static_cast<std::size_t>(part->request.inputs[0].tensor.shape[0]);
  }
  const auto joined = join(inputs);
  if (!joined) return false;
  const TimePoint prepared = clock_.now();
  const auto outputs = model.executable->run(*joined, parts[0]->request.outputs);
  if (!outputs || !rows_of(*outputs, 0, total, total)) return false;
  const TimePoint ran = clock_.now();
  std::size_t first = 0;
  for (RunPart* const part : parts) {
    const auto count = static_cast<std::size_t>(part->request.inputs[0].tensor.shape[0]);
    part->stages.prepare = prepared - start;
    part->stages.run = ran - prepared;
    part->stages.shared_rows = total;
    part->stages.first_of_run = first == 0;
    answer_tensors(model, *part, *rows_of(*outputs, first, count, total));
    first += count;
  }
  return true;
}

// Decodes each picture into its part of the slot. The parts that are ready, in the slot's order; the others
// have their answer.
std::vector<RunPart*> ModelRunner::prepare(const catalog::LoadedModel& model, Parts parts, Workspace& space) {
  tensor::Shape shape = parts[0]->plan.input_shape;
  shape[0] = static_cast<std::int64_t>(parts.size());
  std::vector<RunPart*> ready;
  if (const auto fitted = fit_slot(shape, space.slot); !fitted) {
    for (RunPart* const part : parts) part->answer = fitted.error();
    return ready;
  }
  const std::size_t size = space.slot.elements<float>().size() / parts.size();
  for (RunPart* const part : parts) {
    const TimePoint start = clock_.now();
    const auto prepared =
        model.task->prepare(*part->request.picture, part->plan, space.scratch,
                            space.slot.elements<float>().subspan(ready.size() * size, size));
    part->stages.prepare = clock_.now() - start;
    if (prepared) {
      ready.push_back(part);
    } else {
      part->answer = prepared.error();
    }
  }
  return ready;
}

// Runs the pictures that lie at the front of the slot.
Result<Outputs> ModelRunner::run_slot(const catalog::LoadedModel& model, const Workspace& space,
                                      Parts parts) {
  const TimePoint start = clock_.now();
  tensor::NamedTensor input{.name = model.executable->spec().inputs.front().name,
                            .tensor = space.slot.tensor};
  const std::size_t size = input.tensor.bytes.size() / static_cast<std::size_t>(input.tensor.shape[0]);
  input.tensor.shape[0] = static_cast<std::int64_t>(parts.size());
  input.tensor.bytes = input.tensor.bytes.first(parts.size() * size);
  auto outputs = model.executable->run({&input, 1}, {});
  const Duration took = clock_.now() - start;
  for (RunPart* const part : parts) part->stages.run = took;
  return outputs;
}

void ModelRunner::run_pictures(const catalog::LoadedModel& model, Parts parts, Workspace& space) {
  const std::vector<RunPart*> ready = prepare(model, parts, space);
  if (ready.empty()) return;
  const Result<Outputs> outputs = run_slot(model, space, ready);
  const bool splits = outputs && (ready.size() == 1 || rows_of(*outputs, 0, ready.size(), ready.size()));
  if (!splits && ready.size() > 1) {
    for (RunPart* const part : ready) {
      if (!too_late(*part, clock_.now())) run_pictures(model, {&part, 1}, space);
    }
    return;
  }
  for (std::size_t i = 0; i < ready.size(); ++i) {
    RunPart& part = *ready[i];
    if (!outputs) {
      part.answer = outputs.error();
      continue;
    }
    const TimePoint start = clock_.now();
    auto prediction = ready.size() == 1 ? model.task->finish(part.plan, space.scratch, *outputs)
                                        : model.task->finish(part.plan, space.scratch,
                                                             *rows_of(*outputs, i, 1, ready.size()));
    part.stages.finish = clock_.now() - start;
    if (ready.size() > 1) part.stages.shared_rows = ready.size();
    part.stages.first_of_run = i == 0;
    if (!prediction) {
      part.answer = std::move(prediction).error();
      continue;
    }
    content::InferResponse response = answer_of(model, part);
    response.prediction = *std::move(prediction);
    part.answer = std::move(response);
  }
}

std::unique_ptr<ModelRunner::Workspace> ModelRunner::take_workspace() {
  auto space = workspaces_.with([](auto& free) -> std::unique_ptr<Workspace> {
    if (free.empty()) return nullptr;
    auto last = std::move(free.back());
    free.pop_back();
    return last;
  });
  return space != nullptr ? std::move(space) : std::make_unique<Workspace>();
}

}  // namespace bascule::serving

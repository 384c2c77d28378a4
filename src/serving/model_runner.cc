#include "serving/model_runner.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

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

std::size_t rows_of(const RunPart& part) {
  return static_cast<std::size_t>(part.request.inputs[0].tensor.shape[0]);
}

Error other_rows(std::size_t rows) {
  return internal_error(fmt::format("The model answered with another number of rows than its {}.", rows));
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
Result<void> fit_slot(tensor::DataType type, const tensor::Shape& shape, tensor::MutableTensor& slot) {
  const tensor::Tensor& kept = slot.tensor;
  if (kept.owner != nullptr && kept.type == type && kept.shape == shape && kept.owner.use_count() == 1)
    return {};
  BASCULE_ASSIGN(slot, tensor::make_tensor(type, shape));
  return {};
}

// A picture beyond this is an exception, whose memory goes with it: else one of each size that is allowed
// would keep 300 MB for every worker.
constexpr std::size_t kKeptPixels = std::size_t{32} << 20U;  // bytes, a picture of 11 megapixels

void forget_large_pictures(tasks::Scratch& scratch) {
  if (scratch.bitmap.pixels.capacity() > kKeptPixels) scratch.bitmap = {};
}

// Further tokens of the executor's, for a scope at most.
class MoreTokens {
 public:
  MoreTokens(Executor& executor, std::size_t count)
      : executor_(executor), count_(executor.try_take(count) ? count : 0) {}
  ~MoreTokens() { give_back(); }
  MoreTokens(const MoreTokens&) = delete;
  MoreTokens& operator=(const MoreTokens&) = delete;

  [[nodiscard]] bool taken() const { return count_ > 0; }
  void give_back() {
    if (count_ > 0) executor_.give_back(std::exchange(count_, 0));
  }

 private:
  Executor& executor_;
  std::size_t count_;
};

}  // namespace

void ModelRunner::run(const catalog::LoadedModel& model, Parts parts) {
  if (!parts[0]->request.picture) return run_tensors(model, parts);
  std::unique_ptr<Workspace> space = take_workspace();
  run_pictures(model, parts, *space);
  forget_large_pictures(space->scratch);
  workspaces_.with([&](auto& free) { free.push_back(std::move(space)); });
}

// Runs the model itself, with all cores where nobody else wants one.
Result<Outputs> ModelRunner::compute(const catalog::LoadedModel& model, Parts parts,
                                     std::span<const tensor::NamedTensor> inputs,
                                     std::span<const std::string> outputs) {
  const std::shared_ptr<const catalog::WideRuns>& wide = model.wide;
  if (wide == nullptr) return model.executable->run(inputs, outputs);
  MoreTokens more(executor_, wide->threads() - 1);
  if (!more.taken()) return model.executable->run(inputs, outputs);
  if (background_ != nullptr && wide->wanted()) {
    // Where it takes no more work, it is shutting down, or has more important things to do for long.
    [[maybe_unused]] const auto refused = background_->post([wide] { wide->load(); });
  }
  const std::shared_ptr<const backend::Executable> chosen = wide->choose(model.executable);
  const bool is_wide = chosen != model.executable;
  if (!is_wide) more.give_back();
  const TimePoint start = clock_.now();
  Result<Outputs> answer = chosen->run(inputs, outputs);
  wide->took(is_wide, clock_.now() - start);
  for (RunPart* const part : parts) part->wide = is_wide;
  return answer;
}

void ModelRunner::run_tensors(const catalog::LoadedModel& model, Parts parts) {
  if (parts.size() > 1 && run_joined_tensors(model, parts)) return;
  for (RunPart* const part : parts) {
    if (too_late(*part, clock_.now())) continue;
    const std::size_t fixed = model.info->static_batch;
    if (fixed == 0 || rows_of(*part) == fixed) {
      run_lone_tensors(model, *part);
    } else if (auto ran = run_joined_tensors(model, {&part, 1}); !ran) {
      part->answer = std::move(ran).error();
    }
  }
}

void ModelRunner::run_lone_tensors(const catalog::LoadedModel& model, RunPart& part) {
  const TimePoint start = clock_.now();
  RunPart* const parts = &part;
  auto outputs = compute(model, {&parts, 1}, part.request.inputs, part.request.outputs);
  part.stages.run = clock_.now() - start;
  part.stages.begun.run = start;
  if (outputs) {
    answer_tensors(model, part, *std::move(outputs));
  } else {
    part.answer = std::move(outputs).error();
  }
}

// An error: nothing was answered.
Result<void> ModelRunner::run_joined_tensors(const catalog::LoadedModel& model, Parts parts) {
  const TimePoint start = clock_.now();
  std::vector<std::span<const tensor::NamedTensor>> inputs;
  std::size_t asked = 0;
  for (const RunPart* const part : parts) {
    inputs.emplace_back(part->request.inputs);
    asked += rows_of(*part);
  }
  const std::size_t total = std::max(asked, model.info->static_batch);
  BASCULE_ASSIGN(const Outputs joined, join(inputs, total));
  const TimePoint prepared = clock_.now();
  BASCULE_ASSIGN(const Outputs outputs, compute(model, parts, joined, parts[0]->request.outputs));
  if (!rows_of(outputs, 0, total, total)) return other_rows(total);
  const TimePoint ran = clock_.now();
  std::size_t first = 0;
  for (RunPart* const part : parts) {
    const std::size_t count = rows_of(*part);
    part->stages.prepare = prepared - start;
    part->stages.run = ran - prepared;
    part->stages.begun.prepare = start;
    part->stages.begun.run = prepared;
    if (parts.size() > 1) part->stages.shared_rows = asked;
    part->stages.first_of_run = first == 0;
    const std::size_t answered = sabotage_ == batching::Sabotage::kAnswerPadding ? total - first : count;
    answer_tensors(model, *part, *rows_of(outputs, first, answered, total));
    first += count;
  }
  return {};
}

// Decodes each picture into its part of the slot. The parts that are ready, in the slot's order; the others
// have their answer.
std::vector<RunPart*> ModelRunner::prepare(const catalog::LoadedModel& model, Parts parts, Workspace& space) {
  tensor::Shape shape = parts[0]->plan.input_shape;
  shape[0] = static_cast<std::int64_t>(std::max(parts.size(), model.info->static_batch));
  std::vector<RunPart*> ready;
  if (const auto fitted = fit_slot(parts[0]->plan.input_type, shape, space.slot); !fitted) {
    for (RunPart* const part : parts) part->answer = fitted.error();
    return ready;
  }
  const std::size_t size = space.slot.bytes.size() / static_cast<std::size_t>(shape[0]);
  for (RunPart* const part : parts) {
    const TimePoint start = clock_.now();
    const auto prepared = model.task->prepare(*part->request.picture, part->plan, space.scratch,
                                              space.slot.bytes.subspan(ready.size() * size, size));
    part->stages.prepare = clock_.now() - start;
    part->stages.begun.prepare = start;
    if (prepared) {
      ready.push_back(part);
    } else {
      part->answer = prepared.error();
    }
  }
  return ready;
}

// Runs the pictures that lie at the front of the slot.
Result<Outputs> ModelRunner::run_slot(const catalog::LoadedModel& model, Workspace& space, Parts parts) {
  const TimePoint start = clock_.now();
  const tasks::Plan& plan = parts[0]->plan;
  std::vector<tensor::NamedTensor> inputs;
  inputs.push_back({.name = plan.input.empty() ? model.executable->spec().inputs.front().name : plan.input,
                    .tensor = space.slot.tensor});
  tensor::NamedTensor& input = inputs.front();
  const std::size_t size = input.tensor.bytes.size() / static_cast<std::size_t>(input.tensor.shape[0]);
  const std::size_t rows = std::max(parts.size(), model.info->static_batch);
  std::ranges::fill(space.slot.bytes.subspan(parts.size() * size, (rows - parts.size()) * size),
                    std::byte{0});
  input.tensor.shape[0] = static_cast<std::int64_t>(rows);
  input.tensor.bytes = input.tensor.bytes.first(rows * size);
  if (!plan.beside.empty()) {
    std::vector<std::span<const tensor::NamedTensor>> beside;
    for (const RunPart* const part : parts) beside.emplace_back(part->plan.beside);
    BASCULE_ASSIGN(Outputs joined, join(beside, rows));
    std::ranges::move(joined, std::back_inserter(inputs));
  }
  auto outputs = compute(model, parts, inputs, {});
  const Duration took = clock_.now() - start;
  for (RunPart* const part : parts) {
    part->stages.run = took;
    part->stages.begun.run = start;
  }
  return outputs;
}

void ModelRunner::run_pictures(const catalog::LoadedModel& model, Parts parts, Workspace& space) {
  const std::vector<RunPart*> ready = prepare(model, parts, space);
  if (ready.empty()) return;
  const Result<Outputs> outputs = run_slot(model, space, ready);
  const std::size_t total = std::max(ready.size(), model.info->static_batch);
  const bool splits = outputs && (total == 1 || rows_of(*outputs, 0, total, total));
  if (!splits && ready.size() > 1) {
    for (RunPart* const part : ready) {
      if (!too_late(*part, clock_.now())) run_pictures(model, {&part, 1}, space);
    }
    return;
  }
  for (std::size_t i = 0; i < ready.size(); ++i) {
    RunPart& part = *ready[i];
    if (!splits) {
      part.answer = outputs ? other_rows(total) : outputs.error();
      continue;
    }
    const TimePoint start = clock_.now();
    auto prediction =
        model.task->finish(part.plan, space.scratch, total == 1 ? *outputs : *rows_of(*outputs, i, 1, total));
    part.stages.finish = clock_.now() - start;
    part.stages.begun.finish = start;
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

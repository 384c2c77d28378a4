#include "serving/inference_service.h"

#include <algorithm>
#include <future>
#include <span>

#include <fmt/format.h>

#include "backend/backend.h"
#include "batching/priority.h"
#include "serving/joining.h"
#include "serving/sequence_controls.h"
#include "tasks/table/rows.h"

namespace bascule::serving {
namespace {

// A run at load that took longer says nothing of what is to come.
constexpr Duration kLongestExpected = std::chrono::minutes(1);

// A model is measured on empty texts, of four bytes each, and a sentence costs it little more: only long
// texts count by their length.
constexpr std::size_t kEmptyText = 4;
constexpr std::size_t kShortText = 256;

// What a run of these costs, beside that of the inputs it was measured on.
std::size_t total_bytes(std::span<const tensor::NamedTensor> tensors) {
  std::size_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    if (tensor.type != tensor::DataType::kString) {
      total += tensor.bytes.size();
      continue;
    }
    std::size_t count = 1;
    for (const std::int64_t side : tensor.shape) count *= static_cast<std::size_t>(side);
    total += kEmptyText * (count + tensor.bytes.size() / kShortText);
  }
  return total;
}

// Of a run.
std::size_t threads_of(const content::ModelSettings& settings) {
  return static_cast<std::size_t>(std::max(settings.threads, 1));
}

std::size_t instances_of(const content::ModelSettings& settings, std::size_t width) {
  if (settings.instances > 0) return settings.instances;
  return std::max<std::size_t>(width / threads_of(settings), 1);
}

// What a request brought is not what its model takes.
Error wrong_kind(const catalog::LoadedModel& model, std::string_view brought) {
  const content::ModelInfo& info = *model.info;
  const std::string_view takes = model.task != nullptr  ? "pictures"
                                 : info.rows == nullptr ? "tensors"
                                 : info.rows->is_text() ? "text"
                                                        : "rows";
  Error error = invalid_argument(fmt::format("Model '{}' takes {}, not {}.", info.name, takes, brought),
                                 Reason::kWrongKind);
  error.fields.name = info.name;
  return error;
}

// Between two loads of a model of which only one has states.
Error not_kept(const content::ModelInfo& model) {
  return {
      .code = Code::kFailedPrecondition,
      .message = fmt::format("Model '{}' is being loaded anew with other states; ask again.", model.name)};
}

}  // namespace

// A request on its way: what waits, and what becomes part of a run.
struct InferenceService::Ask final : batching::Item {
  void refuse(Error why) override { answer(std::move(why)); }

  void answer(Result<content::InferResponse> result) {
    // What was never let in has no place in the order.
    if (order == nullptr || number == 0) {
      sink(std::move(result), true);
    } else {
      order->deliver(number, [sink = std::move(sink), result = std::move(result)]() mutable {
        sink(std::move(result), true);
      });
    }
    if (done) done(ran);
  }

  RunPart part;
  Sink sink;
  catalog::Handle model;
  std::shared_ptr<batching::AnswerOrder> order;  // null: answers leave as they come
  bool woken = false;                            // on the loader, which has other work than runs
  // Of a step of a sequence: when it came, and who waits for it to be over.
  std::optional<TimePoint> asked;
  Sequences::Done done;
  bool ran = false;
  std::shared_ptr<SequenceMemory> memory;  // where the model has states
  std::vector<std::string> added_outputs;  // that no one asked for
};

InferenceService::InferenceService(const catalog::Catalog& catalog, Runtime runtime, InferenceOptions options)
    : catalog_(catalog),
      runtime_(runtime),
      options_(options),
      runner_(runtime.executor, runtime.background, runtime.clock, options.sabotage),
      ensembles_(
          [this](content::InferRequest request, Sink sink) { infer(std::move(request), std::move(sink)); },
          runtime.executor, runtime.clock, runtime.metrics) {
  if (runtime.manager == nullptr) return;
  parking_ = std::make_shared<Parking>(*runtime.manager, runtime.timer, runtime.clock, options.max_parked,
                                       options.lifecycle_sabotage);
}

void InferenceService::infer(content::InferRequest request, Sink sink) {
  Result<catalog::Use> use = catalog_.use(request.model, request.version, content::kind_of(request));
  if (!use) return sink(std::move(use).error(), true);
  if (use->model == nullptr) return park(use->loads, std::move(request), std::move(sink));
  begin(std::move(use->model), std::move(request), std::move(sink), false);
}

void InferenceService::park(const std::string& loads, content::InferRequest request, Sink sink) {
  const auto go_on = [this](content::InferRequest waiting, Sink answer) {
    const content::Kind kind = content::kind_of(waiting);
    Result<catalog::Use> use = catalog_.use(waiting.model, waiting.version, kind);
    if (use && use->model != nullptr) {
      return begin(std::move(use->model), std::move(waiting), std::move(answer), true);
    }
    const auto refused = catalog_.pin(waiting.model, waiting.version, kind);
    answer(refused ? internal_error("The model came and went.") : refused.error(), true);
  };
  if (parking_ == nullptr) return go_on(std::move(request), std::move(sink));
  const auto deadline = request.deadline;
  parking_->wait(loads, deadline,
                 [go_on, waiting = std::move(request), answer = std::move(sink)](Result<void> woken) mutable {
                   if (!woken) return answer(std::move(woken).error(), true);
                   go_on(std::move(waiting), std::move(answer));
                 });
}

void InferenceService::await(std::string_view model, std::string_view version,
                             std::optional<TimePoint> deadline, Parking::Go go) {
  const Result<catalog::Use> use = catalog_.use(model, version);
  if (!use || use->model != nullptr || parking_ == nullptr) return go({});
  parking_->wait(use->loads, deadline, std::move(go));
}

void InferenceService::begin(catalog::Handle model, content::InferRequest request, Sink sink, bool woken) {
  const content::Kind kind = content::kind_of(request);
  const content::ModelSettings& settings = model->settings;
  if (!request.deadline && settings.default_timeout > Duration{} &&
      options_.sabotage != batching::Sabotage::kIgnoreDefaultTimeout) {
    request.deadline = runtime_.clock.now() + settings.default_timeout;
  }
  if (model->ensemble != nullptr) return ensembles_.infer(model, std::move(request), std::move(sink));
  auto ask = std::make_unique<Ask>();
  ask->level =
      batching::level_of(request.priority, {.priority_levels = settings.priority_levels,
                                            .default_priority_level = settings.default_priority_level});
  ask->deadline = request.deadline;
  ask->cancelled = request.cancelled;
  ask->part.request = std::move(request);
  ask->sink = std::move(sink);
  ask->model = std::move(model);
  ask->woken = woken;
  switch (kind) {
    case content::Kind::kPicture: return infer_picture(std::move(ask));
    case content::Kind::kRows: return infer_rows(std::move(ask));
    case content::Kind::kTensors: return infer_tensors(std::move(ask));
  }
}

std::optional<Error> InferenceService::would_refuse(std::string_view model, std::string_view version,
                                                    content::Kind kind) const {
  const Result<catalog::Handle> pinned = catalog_.pin(model, version, kind);
  if (!pinned) return std::nullopt;
  const auto queue = queues_.with([&](const Queues& queues) -> std::shared_ptr<Queue> {
    const auto found = queues.find(pinned->get());
    return found != queues.end() && !found->second->model.expired() ? found->second : nullptr;
  });
  return queue != nullptr ? queue->batcher->would_refuse() : std::nullopt;
}

void InferenceService::infer_tensors(std::unique_ptr<Ask> ask) {
  const catalog::LoadedModel& model = *ask->model;
  const backend::ModelSpec& spec = model.executable->spec();
  const content::InferRequest& request = ask->part.request;
  const auto& sequences = model.settings.sequences;
  if (sequences) {
    auto& step = ask->part.request.sequence;
    if (!step) step.emplace();
    if (auto added = add_controls(spec, *sequences, *step, model.info->name, ask->part.request.inputs);
        !added) {
      return ask->sink(std::move(added).error(), true);
    }
  }
  if (auto checked = backend::check_inputs(spec, request.inputs, model.info->static_batch > 0); !checked) {
    return ask->sink(std::move(checked).error(), true);
  }
  if (auto checked = backend::check_outputs(spec, request.outputs); !checked) {
    return ask->sink(std::move(checked).error(), true);
  }
  if (auto checked = check_rows(model, request.inputs); !checked) {
    return ask->sink(std::move(checked).error(), true);
  }
  if (!sequences && !ask->woken && ran_here(*ask)) return ask->sink(std::move(ask->part.answer), true);
  if (model.max_batch_size > 1 && !request.alone) {
    ask->key = join_key(request.inputs, request.outputs);
    if (!ask->key.empty()) ask->rows = static_cast<std::size_t>(request.inputs[0].tensor.shape[0]);
  }
  if (sequences) return submit_step(std::move(ask));
  submit(std::move(ask));
}

// Runs the request on the calling thread where that is best. False: it was not run.
bool InferenceService::ran_here(Ask& ask) {
  const catalog::LoadedModel& model = *ask.model;
  InlineSituation situation{.measured_run = model.measured_run,
                            .measured_bytes = model.measured_bytes,
                            .request_bytes = total_bytes(ask.part.request.inputs),
                            .limit = options_.inline_run,
                            .saved_by_sharing = model.saved_by_sharing,
                            .ordered = model.settings.preserve_ordering};
  // Whether the queue has a say: where runs are shared or some go first, and where instances are counted. A
  // run here is not counted where there are as many as the cores allow.
  const bool counted = model.settings.instances > 0;
  std::shared_ptr<Queue> queue;
  if (shares(situation) || counted || model.settings.priority_levels > 0) {
    queue = queue_of(ask.model);
    const std::uint64_t caller = ask.part.request.caller;
    situation.alone = queue->last_caller.exchange(caller, std::memory_order_relaxed) == caller;
  }
  if (!runs_inline(situation) || (ask.deadline && *ask.deadline <= runtime_.clock.now())) return false;
  if (queue != nullptr && !(counted ? queue->batcher->try_begin() : queue->batcher->idle())) return false;
  runtime_.executor.brief_here();
  RunPart* const part = &ask.part;
  runner_.run(model, {&part, 1});
  if (counted) queue->batcher->end();
  return true;
}

void InferenceService::submit(std::unique_ptr<Ask> ask) {
  const std::shared_ptr<Queue> queue = queue_of(ask->model);
  if (options_.sabotage != batching::Sabotage::kBreakOrder) ask->order = queue->order;
  queue->batcher->submit(std::move(ask));
}

void InferenceService::submit_step(std::unique_ptr<Ask> ask) {
  const catalog::LoadedModel& model = *ask->model;
  const content::SequenceBatching& settings = *model.settings.sequences;
  SequenceLimits limits{.max_idle = settings.max_idle, .max_waiting = model.settings.max_queue_size};
  if (settings.strategy == content::SequenceBatching::Strategy::kOldest && settings.max_candidates > 0) {
    limits.slots = settings.max_candidates * std::max<std::size_t>(model.settings.instances, 1);
  } else {
    const std::size_t asked = model.settings.max_batch_size;
    limits.slots = std::max<std::size_t>(asked > 0 ? asked : model.max_batch_size, 1) *
                   instances_of(model.settings, runtime_.executor.width());
  }
  limits.keeps_state = !settings.states.empty();
  ask->asked = runtime_.clock.now();
  const content::SequenceStep step = *ask->part.request.sequence;
  sequences_of(*model.info)->submit(std::move(ask), step, limits);
}

std::shared_ptr<Sequences> InferenceService::sequences_of(const content::ModelInfo& model) {
  return sequences_.with([&](SequenceTable& table) {
    std::shared_ptr<Sequences>& place = table[{model.name, model.version}];
    if (place != nullptr) return place;
    // Those of models that have gone; who holds one is about to use it.
    std::erase_if(table, [](const auto& entry) {
      return entry.second != nullptr && entry.second.use_count() == 1 && entry.second->known() == 0;
    });
    place = std::make_shared<Sequences>(
        model.name, runtime_.timer, runtime_.clock,
        [this](std::unique_ptr<batching::Item> item, std::shared_ptr<SequenceMemory> memory,
               Sequences::Done done) {
          std::unique_ptr<Ask> ask(static_cast<Ask*>(item.release()));
          ask->done = std::move(done);
          ask->memory = std::move(memory);
          begin_step(std::move(ask));
        },
        options_.sequence_sabotage);
    return place;
  });
}

// Once the steps before it are over, and with them the states are known.
void InferenceService::begin_step(std::unique_ptr<Ask> ask) {
  const catalog::LoadedModel& model = *ask->model;
  if (ask->memory == nullptr) {
    if (model.settings.sequences->states.empty()) return submit(std::move(ask));
    return ask->refuse(not_kept(*model.info));
  }
  content::InferRequest& request = ask->part.request;
  auto added = add_states(model.executable->spec(), *model.settings.sequences, *ask->memory, model.info->name,
                          request);
  if (!added) return ask->refuse(std::move(added).error());
  ask->added_outputs = *std::move(added);
  if (!ask->key.empty()) ask->key = join_key(request.inputs, request.outputs);
  submit(std::move(ask));
}

// Keeps what the step leaves to the next one.
void InferenceService::end_step(Ask& ask) {
  if (ask.memory == nullptr || !ask.part.answer) return;
  if (options_.sequence_sabotage == SequenceSabotage::kForgetState) ask.memory = nullptr;
  const catalog::LoadedModel& model = *ask.model;
  SequenceMemory forgotten(std::make_shared<KeptBytes>(0), true);
  SequenceMemory& memory = ask.memory != nullptr ? *ask.memory : forgotten;
  auto kept =
      take_states(model.executable->spec(), *model.settings.sequences, ask.added_outputs,
                  ask.part.stages.shared_rows > 0, model.info->name, memory, ask.part.answer->outputs);
  if (!kept) ask.part.answer = std::move(kept).error();
}

void InferenceService::infer_picture(std::unique_ptr<Ask> ask) {
  const catalog::LoadedModel& model = *ask->model;
  if (model.task == nullptr || model.settings.sequences)
    return ask->sink(wrong_kind(model, "pictures"), true);
  Result<tasks::Plan> plan = model.task->plan(*ask->part.request.picture, ask->part.request.options);
  if (!plan) return ask->sink(std::move(plan).error(), true);
  ask->part.plan = *std::move(plan);
  if (model.max_batch_size > 1 && !ask->part.request.alone)
    ask->key = "picture " + tensor::to_string(ask->part.plan.input_shape);
  submit(std::move(ask));
}

// Rows become tensors before the queue, where they share runs with those that came as tensors.
void InferenceService::infer_rows(std::unique_ptr<Ask> ask) {
  const catalog::LoadedModel& model = *ask->model;
  content::InferRequest& request = ask->part.request;
  if (model.info->rows == nullptr || model.settings.sequences) {
    return ask->sink(wrong_kind(model, "rows"), true);
  }
  const TimePoint start = runtime_.clock.now();
  auto inputs = tasks::table::encode_rows(*model.info->rows, model.executable->spec(), *request.rows);
  if (!inputs) return ask->sink(std::move(inputs).error(), true);
  request.inputs = *std::move(inputs);
  const std::size_t rows = request.rows->rows();
  request.rows.reset();
  const Duration prepare = runtime_.clock.now() - start;
  ask->sink = [this, info = model.info, rows, start, prepare, sink = std::move(ask->sink)](
                  Result<content::InferResponse> answer, bool last) mutable {
    if (!answer) return sink(std::move(answer), last);
    const TimePoint ran = runtime_.clock.now();
    auto told = tasks::table::decode_rows(*info->rows, answer->outputs, rows);
    if (!told) return sink(std::move(told).error(), last);
    answer->rows = *std::move(told);
    answer->stages.prepare += prepare;
    answer->stages.finish = runtime_.clock.now() - ran;
    answer->stages.begun.prepare = start;
    answer->stages.begun.finish = ran;
    sink(std::move(answer), last);
  };
  infer_tensors(std::move(ask));
}

bool InferenceService::run(batching::Batch batch) {
  const TimePoint start = runtime_.clock.now();
  std::vector<RunPart*> parts;
  parts.reserve(batch.size());
  std::size_t rows = 0;
  for (const auto& item : batch) {
    Ask& ask = static_cast<Ask&>(*item);
    ask.part.stages.begun.queue = ask.asked.value_or(ask.since);
    ask.part.stages.queue = start - ask.part.stages.begun.queue;
    ask.ran = true;
    rows += ask.rows;
    parts.push_back(&ask.part);
  }
  const catalog::LoadedModel& model = *static_cast<Ask&>(*batch[0]).model;
  if (options_.lifecycle_sabotage == catalog::Sabotage::kDropWaiting) {
    const auto current = catalog_.pin(model.info->name, model.info->version);
    if (!current || current->get() != &model) return true;
  }
  runner_.run(model, parts);
  const bool wide = std::ranges::any_of(parts, &RunPart::wide);
  runtime_.metrics.batch_done(model.info->name, model.info->version, rows);
  if (options_.sabotage == batching::Sabotage::kSwapAnswers && parts.size() > 1) {
    std::swap(parts[0]->answer, parts[1]->answer);
  }
  if (options_.sabotage == batching::Sabotage::kForgetAnswer && parts.size() > 1) batch.pop_back();
  for (const auto& item : batch) {
    Ask& ask = static_cast<Ask&>(*item);
    end_step(ask);
    if (options_.sabotage == batching::Sabotage::kAnswerTwice) ask.sink(ask.part.answer, true);
    ask.answer(std::move(ask.part.answer));
  }
  return !wide;
}

std::shared_ptr<InferenceService::Queue> InferenceService::queue_of(const catalog::Handle& model) {
  return queues_.with([&](Queues& queues) {
    const auto found = queues.find(model.get());
    if (found != queues.end() && !found->second->model.expired()) return found->second;
    std::erase_if(queues, [](const auto& entry) { return entry.second->model.expired(); });
    auto made = std::make_shared<Queue>();
    made->model = model;
    made->batcher = make_queue(*model);
    if (model->settings.preserve_ordering) made->order = std::make_shared<batching::AnswerOrder>();
    queues.insert_or_assign(model.get(), made);
    return made;
  });
}

std::shared_ptr<batching::Batcher> InferenceService::make_queue(const catalog::LoadedModel& model) {
  const bool measured = model.measured_run < kLongestExpected;
  return std::make_shared<batching::Batcher>(
      batching::BatcherOptions{.model = model.info->name,
                               .instances = instances_of(model.settings, runtime_.executor.width()),
                               .cost = threads_of(model.settings),
                               .policy = {.max_batch_size = model.max_batch_size,
                                          .preferred_batch_size = model.settings.preferred_batch_size,
                                          .max_queue_delay = model.settings.max_queue_delay},
                               .limits = {.max_queue_size = model.settings.max_queue_size,
                                          .queue_budget = model.settings.queue_budget},
                               .expected_run = measured ? model.measured_run : Duration{},
                               .brief_run = options_.brief_run,
                               .sabotage = options_.sabotage},
      batching::Driver{.executor = runtime_.executor, .timer = runtime_.timer, .clock = runtime_.clock},
      [this](batching::Batch batch) { return run(std::move(batch)); });
}

std::vector<std::pair<std::shared_ptr<const content::ModelInfo>, std::size_t>> InferenceService::waiting()
    const {
  std::vector<std::pair<std::shared_ptr<const content::ModelInfo>, std::size_t>> out;
  queues_.with([&](const Queues& queues) {
    for (const auto& [address, queue] : queues) {
      if (const auto model = queue->model.lock()) out.emplace_back(model->info, queue->batcher->waiting());
    }
  });
  sequences_.with([&](const SequenceTable& table) {
    for (const auto& [model, sequences] : table) {
      const auto same = [&](const auto& entry) {
        return entry.first->name == model.first && entry.first->version == model.second;
      };
      const auto found = std::ranges::find_if(out, same);
      if (found != out.end()) found->second += sequences->waiting();
    }
  });
  return out;
}

std::uint64_t InferenceService::kept_bytes() const {
  return sequences_.with([](const SequenceTable& table) {
    std::uint64_t bytes = 0;
    for (const auto& [model, sequences] : table) bytes += sequences->kept_bytes();
    return bytes;
  });
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

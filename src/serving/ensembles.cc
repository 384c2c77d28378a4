#include "serving/ensembles.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "backend/backend.h"
#include "base/text.h"
#include "tasks/vision/crops.h"

namespace bascule::serving {
namespace {

using content::EnsembleStep;
using content::InferRequest;
using content::InferResponse;
using tensor::NamedTensor;

constexpr std::string_view kDialect = "ensemble";

Error too_deep(const std::string& name) {
  return invalid_argument(fmt::format(
      "Ensemble '{}' is the {}th that this request goes through; at most {} may hold each other. Does one "
      "hold itself?",
      name, Ensembles::kMaxDepth + 1, Ensembles::kMaxDepth));
}

Error too_many(const catalog::LoadedModel& model) {
  const std::size_t limit = model.settings.max_queue_size;
  std::string text = fmt::format("{} requests", limit);
  return {
      .code = Code::kResourceExhausted,
      .message = fmt::format("{} requests are in ensemble '{}', its max_queue_size. Try again in 1 s.", limit,
                             model.info->name),
      .reason = Reason::kQueueFull,
      .fields = {.name = model.info->name, .limit = std::move(text), .retry_after = std::chrono::seconds(1)}};
}

}  // namespace

EnsembleGate::EnsembleGate(std::size_t steps, std::size_t limit, Executor& executor)
    : limit_(limit), executor_(executor) {
  steps_.with([&](std::vector<Step>& all) { all = std::vector<Step>(steps); });
}

void EnsembleGate::enter(std::size_t step, Work work) {
  const bool now = steps_.with([&](std::vector<Step>& all) {
    if (limit_ == 0 || all[step].inside < limit_) {
      ++all[step].inside;
      return true;
    }
    all[step].waiting.push_back(std::move(work));
    return false;
  });
  if (now) work();
}

void EnsembleGate::leave(std::size_t step) {
  std::optional<Work> next = steps_.with([&](std::vector<Step>& all) -> std::optional<Work> {
    if (all[step].waiting.empty()) {
      --all[step].inside;
      return std::nullopt;
    }
    std::optional<Work> first(std::move(all[step].waiting.front()));
    all[step].waiting.pop_front();
    return first;
  });
  if (!next) return;
  // Not here: each would go on from within the one before it.
  const auto shared = std::make_shared<Work>(*std::move(next));
  if (auto posted = executor_.post([shared] { (*shared)(); }); !posted) (*shared)();
}

bool EnsembleGate::begin(std::size_t limit) {
  if (under_way_.fetch_add(1, std::memory_order_relaxed) < limit || limit == 0) return true;
  end();
  return false;
}

// One request on its way through the steps.
// Thread-safety: thread-safe.
class Ensembles::Run final : public std::enable_shared_from_this<Run> {
 public:
  Run(Ensembles& owner, catalog::Handle model, std::shared_ptr<EnsembleGate> gate, InferRequest request,
      Sink sink)
      : owner_(owner),
        model_(std::move(model)),
        gate_(std::move(gate)),
        request_(std::move(request)),
        sink_(std::move(sink)),
        started_(owner.clock_.now()),
        begun_(model_->ensemble->steps.size()) {
    for (const NamedTensor& input : request_.inputs) tensors_.emplace(input.name, input.tensor);
  }

  // Sends every step whose inputs are there. The models' own answers go on from here.
  void advance() {
    std::vector<std::size_t> ready;
    {
      MutexLock lock(mutex_);
      if (over_) return;
      for (std::size_t i = 0; i < begun_.size(); ++i) {
        if (begun_[i] || !has_inputs(step(i))) continue;
        begun_[i] = true;
        ++open_;
        ready.push_back(i);
      }
    }
    for (const std::size_t i : ready) {
      gate_->enter(i, [self = shared_from_this(), i] { self->send(i); });
    }
    finish_if_done();
  }

 private:
  [[nodiscard]] const EnsembleStep& step(std::size_t index) const { return model_->ensemble->steps[index]; }

  // An input that the model can do without may be left out of the request.
  [[nodiscard]] bool has_inputs(const EnsembleStep& step) const BASCULE_REQUIRES(mutex_) {
    return std::ranges::all_of(step.inputs, [&](const auto& input) BASCULE_REQUIRES(mutex_) {
      return tensors_.contains(input.second) || left_out(input.second);
    });
  }

  [[nodiscard]] bool left_out(const std::string& name) const {
    const auto& inputs = model_->executable->spec().inputs;
    const auto input = std::ranges::find(inputs, name, &tensor::TensorSpec::name);
    return input != inputs.end() && input->optional &&
           std::ranges::find(request_.inputs, name, &NamedTensor::name) == request_.inputs.end();
  }

  void send(std::size_t index) {
    InferRequest request{.model = step(index).model,
                         .version = step(index).version,
                         .id = request_.id,
                         .dialect = std::string(kDialect),
                         .options = request_.options,
                         .deadline = request_.deadline,
                         .priority = request_.priority,
                         .sequence = request_.sequence,
                         .cancelled = request_.cancelled,
                         .depth = request_.depth + 1,
                         .caller = request_.caller};
    bool over = false;
    {
      MutexLock lock(mutex_);
      over = over_;
      for (const auto& [input, name] : step(index).inputs) {
        if (const auto found = tensors_.find(name); found != tensors_.end()) {
          request.inputs.push_back({.name = input, .tensor = found->second});
        }
      }
    }
    if (over) return gate_->leave(index);
    for (const auto& [output, name] : step(index).outputs) request.outputs.push_back(output);
    owner_.ask(std::move(request), [self = shared_from_this(), index](Result<InferResponse> answer) {
      self->take(index, std::move(answer));
    });
  }

  void take(std::size_t index, Result<InferResponse> answer) {
    gate_->leave(index);
    if (!answer) {
      Error error = std::move(answer).error();
      error.message = fmt::format("Step {} of ensemble '{}' (model '{}'): {}", index + 1, model_->info->name,
                                  step(index).model, error.message);
      return finish(std::move(error));
    }
    {
      MutexLock lock(mutex_);
      --open_;
      queue_ += answer->stages.queue;
      std::ranges::move(answer->steps, std::back_inserter(steps_));
      for (NamedTensor& output : answer->outputs) {
        const auto name = step(index).outputs.find(output.name);
        if (name != step(index).outputs.end())
          tensors_.insert_or_assign(name->second, std::move(output.tensor));
      }
    }
    advance();
  }

  void finish_if_done() {
    InferResponse response{.model = model_->info, .id = request_.id};
    {
      MutexLock lock(mutex_);
      if (over_ || open_ > 0) return;
      const auto add = [&](const std::string& name) BASCULE_REQUIRES(mutex_) {
        const auto found = tensors_.find(name);
        if (found != tensors_.end()) response.outputs.push_back({.name = name, .tensor = found->second});
      };
      for (const tensor::TensorSpec& output : model_->executable->spec().outputs) {
        if (request_.outputs.empty()) add(output.name);
      }
      for (const std::string& name : request_.outputs) add(name);
      response.stages.queue = queue_;
      response.steps = steps_;
    }
    const std::size_t wanted =
        request_.outputs.empty() ? model_->executable->spec().outputs.size() : request_.outputs.size();
    if (response.outputs.size() < wanted) {
      return finish(
          invalid_argument(fmt::format("Ensemble '{}' cannot make all of its outputs out of the inputs of "
                                       "this request; give those that are left "
                                       "out.",
                                       model_->info->name)));
    }
    response.stages.run = owner_.clock_.now() - started_ - response.stages.queue;
    finish(std::move(response));
  }

  void finish(Result<InferResponse> answer) {
    {
      MutexLock lock(mutex_);
      if (over_) return;
      over_ = true;
      tensors_.clear();
    }
    gate_->end();
    sink_(std::move(answer), true);
  }

  Ensembles& owner_;
  const catalog::Handle model_;
  const std::shared_ptr<EnsembleGate> gate_;
  const InferRequest request_;
  Sink sink_;
  const TimePoint started_;
  Mutex mutex_;
  std::map<std::string, tensor::Tensor, std::less<>> tensors_ BASCULE_GUARDED_BY(mutex_);
  std::vector<bool> begun_ BASCULE_GUARDED_BY(mutex_);
  std::size_t open_ BASCULE_GUARDED_BY(mutex_) = 0;  // steps under way
  Duration queue_ BASCULE_GUARDED_BY(mutex_){};
  std::vector<content::StepTimes> steps_ BASCULE_GUARDED_BY(mutex_);
  bool over_ BASCULE_GUARDED_BY(mutex_) = false;
};

// A picture whose objects a second model looks at, one by one.
// Thread-safety: thread-safe.
class Ensembles::CropRun final : public std::enable_shared_from_this<CropRun> {
 public:
  CropRun(Ensembles& owner, catalog::Handle model, std::shared_ptr<EnsembleGate> gate, InferRequest request,
          Sink sink)
      : owner_(owner),
        model_(std::move(model)),
        gate_(std::move(gate)),
        request_(std::move(request)),
        sink_(std::move(sink)) {}

  void begin() {
    InferRequest request = step(crops().detector);
    request.picture = request_.picture;
    gate_->enter(0, [self = shared_from_this(), request = std::move(request)]() mutable {
      self->owner_.ask(std::move(request),
                       [self](Result<InferResponse> answer) { self->detected(std::move(answer)); });
    });
  }

 private:
  [[nodiscard]] const content::CropThenClassify& crops() const { return *model_->ensemble->crops; }

  [[nodiscard]] InferRequest step(const std::string& model) const {
    return {.model = model,
            .id = request_.id,
            .dialect = std::string(kDialect),
            .options = request_.options,
            .deadline = request_.deadline,
            .priority = request_.priority,
            .cancelled = request_.cancelled,
            .depth = request_.depth + 1,
            .caller = request_.caller};
  }

  void detected(Result<InferResponse> answer) {
    gate_->leave(0);
    if (!answer) return fail(crops().detector, std::move(answer).error());
    const auto* const found =
        answer->prediction ? std::get_if<content::Detections>(&*answer->prediction) : nullptr;
    if (found == nullptr) {
      return fail(crops().detector, invalid_argument("It gives no boxes; the detector of an ensemble must."));
    }
    found_ = *found;
    stages_ = answer->stages;
    steps_ = std::move(answer->steps);
    names_ = answer->model;
    found_.rows.resize(std::min(found_.rows.size(), crops().max_crops));
    if (found_.rows.empty()) return finish();
    // The picture is decoded again, and cut, where work is done.
    auto posted = owner_.executor_.post([self = shared_from_this()] { self->cut(); });
    if (!posted) fail(crops().classifier, std::move(posted).error());
  }

  void cut() {
    auto pictures = tasks::vision::cut_out(*request_.picture, found_, crops().margin);
    if (!pictures) return fail(crops().classifier, std::move(pictures).error());
    labels_.resize(pictures->size());
    steps_.resize(1 + pictures->size());
    open_.store(pictures->size(), std::memory_order_relaxed);
    for (std::size_t i = 0; i < pictures->size(); ++i) {
      InferRequest request = step(crops().classifier);
      request.options = {};  // the caller's are the detector's
      request.picture = std::move((*pictures)[i]);
      gate_->enter(1, [self = shared_from_this(), i, request = std::move(request)]() mutable {
        self->owner_.ask(std::move(request),
                         [self, i](Result<InferResponse> answer) { self->classified(i, std::move(answer)); });
      });
    }
  }

  void classified(std::size_t index, Result<InferResponse> answer) {
    gate_->leave(1);
    if (!answer) {
      fail(crops().classifier, std::move(answer).error());
    } else if (const auto* const label =
                   answer->prediction ? std::get_if<content::Classification>(&*answer->prediction) : nullptr;
               label == nullptr || label->best.empty()) {
      fail(crops().classifier, invalid_argument("It gives no class; the classifier of an ensemble must."));
    } else {
      labels_[index] = label->best.front();  // each has a place of its own
      steps_[1 + index] = std::move(answer->steps.front());
      if (index == 0) names_ = answer->model;
    }
    if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish();
  }

  void fail(const std::string& model, Error error) {
    error.message = fmt::format("Ensemble '{}', model '{}': {}", model_->info->name, model, error.message);
    answer(std::move(error));
  }

  // The box stays the detector's; what it is, and how sure, is the classifier's.
  void finish() {
    if (over_.load(std::memory_order_relaxed)) return;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      found_.rows[i].class_id = labels_[i].class_id;
      found_.rows[i].confidence = labels_[i].confidence;
    }
    auto info = std::make_shared<content::ModelInfo>(*model_->info);
    info->class_names = names_->class_names;
    info->author_version = names_->author_version;
    InferResponse response{
        .model = std::move(info), .id = request_.id, .stages = stages_, .steps = std::move(steps_)};
    content::Detections boxes{.picture = found_.picture, .rows = std::move(found_.rows)};
    response.prediction = std::move(boxes);
    response.stages.shared_rows = 0;
    answer(std::move(response));
  }

  void answer(Result<InferResponse> result) {
    if (over_.exchange(true, std::memory_order_acq_rel)) return;
    gate_->end();
    sink_(std::move(result), true);
  }

  Ensembles& owner_;
  const catalog::Handle model_;
  const std::shared_ptr<EnsembleGate> gate_;
  const InferRequest request_;
  Sink sink_;
  // Written by one step before the next begins.
  content::Detections found_;
  content::Stages stages_;
  std::vector<content::StepTimes> steps_;  // the detector's, then one for each picture that was cut out
  std::shared_ptr<const content::ModelInfo> names_;
  std::vector<content::RankedClass> labels_;
  std::atomic<std::size_t> open_ = 0;
  std::atomic<bool> over_ = false;
};

void Ensembles::infer(const catalog::Handle& model, InferRequest request, Sink sink) {
  if (request.depth >= kMaxDepth) return sink(too_deep(model->info->name), true);
  const content::Ensemble& ensemble = *model->ensemble;
  if (ensemble.crops && !request.picture) {
    return sink(invalid_argument(fmt::format("Ensemble '{}' takes pictures, not tensors; send one to "
                                             "/models/{}/predict.",
                                             model->info->name, model->info->name)),
                true);
  }
  if (!ensemble.crops) {
    const backend::ModelSpec& spec = model->executable->spec();
    if (content::kind_of(request) != content::Kind::kTensors) {
      return sink(invalid_argument(
                      fmt::format("Ensemble '{}' takes tensors, not pictures or rows; send its inputs to "
                                  "/v2/models/{}/infer.",
                                  model->info->name, model->info->name)),
                  true);
    }
    if (auto checked = backend::check_inputs(spec, request.inputs); !checked)
      return sink(checked.error(), true);
    if (auto checked = backend::check_outputs(spec, request.outputs); !checked)
      return sink(checked.error(), true);
  }
  const std::shared_ptr<EnsembleGate> gate = gate_of(*model);
  if (!gate->begin(model->settings.max_queue_size)) return sink(too_many(*model), true);
  if (ensemble.crops) {
    std::make_shared<CropRun>(*this, model, gate, std::move(request), std::move(sink))->begin();
  } else {
    std::make_shared<Run>(*this, model, gate, std::move(request), std::move(sink))->advance();
  }
}

std::shared_ptr<EnsembleGate> Ensembles::gate_of(const catalog::LoadedModel& model) {
  return gates_.with([&](Gates& gates) {
    std::erase_if(gates, [](const auto& entry) { return entry.second.first.expired(); });
    auto& [info, gate] = gates[model.info.get()];
    if (gate == nullptr) {
      info = model.info;
      const std::size_t steps = model.ensemble->crops ? 2 : model.ensemble->steps.size();
      gate = std::make_shared<EnsembleGate>(steps, model.ensemble->max_inflight_requests, executor_);
    }
    return gate;
  });
}

void Ensembles::ask(InferRequest request, std::move_only_function<void(Result<InferResponse>)> then) {
  const TimePoint started = clock_.now();
  std::string name = request.model;
  door_(std::move(request), [this, started, name = std::move(name), then = std::move(then)](
                                Result<InferResponse> answer, bool last) mutable {
    if (!last) return;
    const TimePoint now = clock_.now();
    if (answer) {
      metrics_.request_done(
          {.model = answer->model->name, .version = answer->model->version, .dialect = kDialect},
          {.request = now - started,
           .queue = answer->stages.queue,
           .prepare = answer->stages.prepare,
           .run = answer->stages.run,
           .finish = answer->stages.finish,
           .run_rows = answer->stages.shared_rows,
           .counts_run = answer->stages.first_of_run,
           .at = now});
      content::StepTimes step{.model = answer->model,
                              .asked = started,
                              .answered = now,
                              .stages = answer->stages,
                              .steps = std::move(answer->steps)};
      answer->steps.clear();
      answer->steps.push_back(std::move(step));
    } else {
      metrics_.request_refused({.model = name, .version = {}, .dialect = kDialect}, answer.error());
    }
    then(std::move(answer));
  });
}

}  // namespace bascule::serving

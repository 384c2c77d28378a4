#include "simulation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace bascule::sim {
namespace {

using batching::Sabotage;
using std::chrono::microseconds;
using tensor::NamedTensor;

constexpr std::size_t kMostEvents = 100'000;  // some hundred are usual
constexpr float kPoison = 0.5F;               // a value that makes every run with it fail

}  // namespace

Simulation::Simulation(std::uint64_t seed, Sabotage sabotage)
    : world_(seed, 1 + seed % 3), sabotage_(sabotage) {
  if (world_.chance(20)) world_.executor.max_waiting = world_.upto(2);
  tight_executor_ = world_.executor.max_waiting < 10;
  const std::size_t models = 1 + world_.upto(1);
  for (std::size_t i = 0; i < models; ++i) load(fmt::format("m{}", i));
  service_.emplace(
      catalog_,
      serving::Runtime{
          .executor = world_.executor, .timer = world_.timer, .clock = world_.clock, .metrics = metrics_},
      serving::InferenceOptions{.brief_run = microseconds(world_.chance(50) ? 400 : 0),
                                .sabotage = sabotage_});
}

std::string Simulation::run() {
  world_.before_time_passes = [this] { check_no_idle_wait(); };
  plan_callers();
  if (!world_.run(kMostEvents)) return "it does not come to rest";
  for (const Caller& caller : callers_) {
    if (caller.answers != 1) complain(caller, fmt::format("was answered {} times", caller.answers));
  }
  if (world_.timer.calls > callers_.size() * 4 + 16) {
    wrong(fmt::format("the timer was asked {} times", world_.timer.calls));
  }
  service_.reset();
  return wrong_;
}

void Simulation::complain(const Caller& caller, std::string_view what) {
  wrong(fmt::format("request {} of {} {}", caller.value, caller.model, what));
}

content::ModelSettings Simulation::draw_settings(std::size_t max_batch) {
  content::ModelSettings settings;
  if (world_.chance(30)) settings.max_batch_size = max_batch;
  if (world_.chance(20)) settings.preferred_batch_size = {1 + world_.upto(max_batch)};
  if (world_.chance(40)) settings.max_queue_delay = microseconds(1 + world_.upto(3000));
  settings.preserve_ordering = world_.chance(25);
  settings.max_queue_size = world_.chance(50) ? 0 : 1 + world_.upto(20);
  settings.queue_budget = world_.chance(50) ? Duration{} : microseconds(1 + world_.upto(5000));
  if (world_.chance(40)) {
    settings.priority_levels = static_cast<std::uint32_t>(1 + world_.upto(3));
    settings.default_priority_level = static_cast<std::uint32_t>(world_.upto(settings.priority_levels));
  }
  if (world_.chance(20)) settings.default_timeout = microseconds(1 + world_.upto(3000));
  if (world_.chance(30)) settings.instances = 1 + world_.upto(2);
  if (world_.chance(40)) settings.threads = static_cast<int>(1 + world_.upto(3));
  return settings;
}

void Simulation::load(const std::string& name) {
  Model& model = models_[name];
  model.max_batch = 1 + world_.upto(5);
  model.fixed_batch = model.max_batch > 1 && world_.chance(30);
  model.settings = draw_settings(model.max_batch);
  const std::size_t width = world_.executor.width();
  const auto threads = static_cast<std::size_t>(model.settings.threads);
  model.cost = std::min(threads, width);
  model.instances =
      model.settings.instances > 0 ? model.settings.instances : std::max<std::size_t>(width / threads, 1);

  backend::FakeModel fake;
  const std::int64_t batch =
      model.fixed_batch ? static_cast<std::int64_t>(model.max_batch) : tensor::kDynamic;
  fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {batch, -1}}};
  fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kFp32, .shape = {batch, -1}},
                       {.name = "z", .type = tensor::DataType::kFp32, .shape = {batch, -1}}};
  const Duration base = microseconds(20 + world_.upto(800));
  const Duration each = microseconds(world_.upto(200));
  const bool fails = world_.chance(20);
  fake.run = [=, this](std::span<const NamedTensor> inputs) {
    return engine(name, inputs, base + each * inputs[0].tensor.shape[0], fails);
  };
  backend_.add(name, std::move(fake));
  auto info = std::make_shared<content::ModelInfo>();
  info->name = name;
  info->version = "1";
  info->batchable = !model.fixed_batch;
  info->static_batch = model.fixed_batch ? model.max_batch : 0;
  catalog_.set_ready(std::make_shared<catalog::LoadedModel>(
      catalog::LoadedModel{.info = std::move(info),
                           .executable = backend_.load(name + ".fake", {}).value(),
                           .task = nullptr,
                           .measured_run = base,
                           .measured_bytes = 4,
                           .max_batch_size = model.max_batch,
                           .saved_by_sharing = microseconds(world_.chance(80) ? 100 : 0),
                           .settings = model.settings}));
}

// y = 2x, z = 3x.
Result<Simulation::Outputs> Simulation::engine(const std::string& name, std::span<const NamedTensor> inputs,
                                               Duration took, bool fails) {
  Model& model = models_[name];
  const tensor::Tensor& x = inputs[0].tensor;
  const auto values = x.elements<float>();
  check_run(name, values, static_cast<std::size_t>(x.shape[0]));
  const bool here = asking_ && std::ranges::find(values, callers_[*asking_].value) != values.end();
  const std::size_t cost = here ? 0 : model.cost;
  ++model.running;
  tokens_ += cost;
  // Brief work has a thread beside the tokens.
  if (tokens_ > world_.executor.width() + (world_.executor.runs_brief() ? 1 : 0))
    wrong(fmt::format("runs of {} tokens at once", tokens_));
  if (model.settings.instances > 0 && model.running > model.instances) {
    wrong(fmt::format("{} runs of {} at once, more than {}", model.running, name, model.instances));
  }
  world_.busy(took);
  --model.running;
  tokens_ -= cost;
  if (fails && world_.chance(10)) {
    failed_.insert(values.begin(), values.end());
    rerun_.insert(values.begin(), values.end());
    return internal_error("The engine failed.");
  }
  for (const float v : values) {
    if (v == std::floor(v)) continue;
    rerun_.insert(values.begin(), values.end());
    return internal_error("Poison.");
  }
  Outputs out;
  for (const auto& [output, factor] : {std::pair("y", 2.0F), std::pair("z", 3.0F)}) {
    auto slot = tensor::make_tensor(tensor::DataType::kFp32, x.shape).value();
    std::ranges::transform(values, slot.elements<float>().begin(), [&](float v) { return v * factor; });
    out.push_back({.name = output, .tensor = std::move(slot.tensor)});
  }
  return out;
}

void Simulation::check_run(const std::string& name, std::span<const float> values, std::size_t rows) {
  const Model& model = models_[name];
  std::set<float> askers(values.begin(), values.end());
  if (model.fixed_batch) {
    if (rows != model.max_batch) wrong(fmt::format("a run of {} rows of a fixed batch", rows));
    if (askers.erase(0) > 0) ++padded_runs_;
  }
  if (askers.size() > 1) ++shared_runs_;
  if (rows > model.max_batch && (askers.size() > 1 || model.settings.max_batch_size > 0)) {
    wrong(fmt::format("a run of {} rows", rows));
  }
  for (const float value : askers) {
    if (!(value >= 1 && value < static_cast<float>(callers_.size() + 1)))
      return wrong("a run on made-up numbers");
  }
  if (!rerun_.contains(*askers.begin())) check_priority(model, name, askers);
  for (const float value : askers) {
    check_member(caller_of(value));
    caller_of(value).begun = true;
  }
}

void Simulation::check_member(const Caller& caller) {
  if (caller.ends && *caller.ends <= world_.clock.time) complain(caller, "was run after its deadline");
  if (*caller.cancelled) complain(caller, "was run after its caller had gone");
  if (caller.answers > 0) complain(caller, "was run after its answer");
}

// No lower level is begun while a request of a higher one waits that fits.
void Simulation::check_priority(const Model& model, const std::string& name, const std::set<float>& askers) {
  std::uint32_t highest = ~0U;
  std::uint32_t lowest = 0;
  TimePoint first = TimePoint::max();
  for (const float value : askers) {
    highest = std::min(highest, caller_of(value).level);
    lowest = std::max(lowest, caller_of(value).level);
    first = std::min(first, caller_of(value).arrives);
  }
  const Caller& member = caller_of(*askers.begin());
  for (const Caller& other : callers_) {
    if (other.model != name || !other.asked || other.begun || other.answers > 0 || *other.cancelled) continue;
    if ((other.ends && *other.ends <= world_.clock.time) || askers.contains(other.value)) continue;
    if (other.level < highest && !tight_executor_) complain(other, "waits while a lower level is begun");
    if (other.level > lowest && other.arrives < first) ++overtakes_;
    if (other.level >= lowest || tight_executor_) continue;
    const bool fits = other.columns == member.columns && other.outputs == member.outputs;
    std::int64_t before = 0;  // rows of those that are served before it, or with it
    for (const float value : askers) {
      if (caller_of(value).level <= other.level) before += caller_of(value).rows;
    }
    if (fits && before + other.rows <= static_cast<std::int64_t>(model.max_batch)) {
      complain(other, "was left out of a run that a lower level is in");
    }
  }
}

void Simulation::check_no_idle_wait() {
  const auto& executor = world_.executor;
  std::size_t instances = 0;
  for (const auto& [name, model] : models_) instances += model.instances;
  if (executor.waiting() + executor.running() > instances) wrong("more instances at work than there are");
  for (const auto& [info, count] : service_->waiting()) {
    const Model& model = models_[info->name];
    if (model.settings.max_queue_size > 0 && count > model.settings.max_queue_size + model.instances) {
      wrong(fmt::format("{} requests wait, more than {}", count, model.settings.max_queue_size));
    }
    if (count > 0 && model.settings.max_queue_delay == Duration{} && !tight_executor_ &&
        executor.waiting() == 0 && model.cost <= executor.free_tokens() && model.running < model.instances) {
      wrong(fmt::format("{} requests wait while an instance is idle", count));
    }
  }
}

Caller Simulation::draw_caller(std::size_t number, TimePoint when) {
  Caller caller{.model = fmt::format("m{}", world_.upto(models_.size() - 1)), .arrives = when};
  const content::ModelSettings& settings = models_[caller.model].settings;
  caller.value = static_cast<float>(number);
  caller.poisoned = world_.chance(4);
  if (caller.poisoned) caller.value += kPoison;
  caller.rows = 1 + static_cast<std::int64_t>(world_.upto(world_.chance(20) ? 7 : 1));
  caller.columns = 1 + static_cast<std::int64_t>(world_.upto(1));
  if (world_.chance(30)) caller.outputs = {world_.chance(50) ? "z" : "y"};
  if (world_.chance(30)) caller.deadline = when + microseconds(world_.upto(3000));
  caller.ends = caller.deadline;
  if (!caller.ends && settings.default_timeout > Duration{}) caller.ends = when + settings.default_timeout;
  caller.priority = world_.upto(4);
  // Written out again: what the server makes of it is what is tested.
  const std::uint32_t fallback =
      settings.default_priority_level > 0 ? settings.default_priority_level : settings.priority_levels;
  const bool named = caller.priority >= 1 && caller.priority <= settings.priority_levels;
  caller.level = named ? static_cast<std::uint32_t>(caller.priority) : fallback;
  return caller;
}

void Simulation::plan_callers() {
  const std::size_t count = 20 + world_.upto(60);
  TimePoint when = world_.clock.time;
  for (std::size_t i = 0; i < count; ++i) {
    if (world_.chance(30)) when += microseconds(world_.upto(2500));  // else a burst
    callers_.push_back(draw_caller(i + 1, when));
  }
  for (std::size_t i = 0; i < count; ++i) {
    world_.at(callers_[i].arrives, [this, i] { ask(i); });
    if (!world_.chance(10)) continue;
    world_.at(callers_[i].arrives + microseconds(world_.upto(2000)),
              [this, i] { *callers_[i].cancelled = true; });
  }
}

void Simulation::ask(std::size_t index) {
  Caller& caller = callers_[index];
  content::InferRequest request{.model = caller.model, .id = fmt::format("{}", caller.value)};
  const std::vector<float> values(static_cast<std::size_t>(caller.rows * caller.columns), caller.value);
  request.inputs.push_back(
      {.name = "x",
       .tensor = tensor::copy_tensor<float>(tensor::DataType::kFp32, {caller.rows, caller.columns}, values)
                     .value()});
  request.outputs = caller.outputs;
  request.deadline = caller.deadline;
  request.priority = caller.priority;
  request.cancelled = caller.cancelled;
  request.caller = index % 7;
  caller.asked = true;
  models_[caller.model].let_in.push_back(index);
  const auto before = std::exchange(asking_, index);
  service_->infer(std::move(request), [this, index](const Result<content::InferResponse>& answer, bool last) {
    if (!last) complain(callers_[index], "got an answer that is not the last");
    answered(index, answer);
  });
  asking_ = before;
}

void Simulation::answered(std::size_t index, const Result<content::InferResponse>& answer) {
  Caller& caller = callers_[index];
  if (++caller.answers > 1) return complain(caller, "was answered twice");
  check_order(index, answer);
  if (!answer) return refused(caller, answer.error());
  if (caller.poisoned) complain(caller, "is poisoned and was answered");
  if (answer->id != fmt::format("{}", caller.value)) complain(caller, "got the answer to " + answer->id);
  check_numbers(caller, *answer);
}

void Simulation::check_order(std::size_t index, const Result<content::InferResponse>& answer) {
  Model& model = models_[callers_[index].model];
  const bool at_the_door =
      asking_ == index && !answer &&
      (answer.error().reason == Reason::kQueueFull || answer.error().code == Code::kInvalidArgument);
  if (model.settings.preserve_ordering && !at_the_door && model.let_in.front() != index) {
    complain(callers_[index], "was answered before one that came earlier");
  }
  std::erase(model.let_in, index);
}

void Simulation::check_numbers(const Caller& caller, const content::InferResponse& answer) {
  const std::vector<std::string> names =
      caller.outputs.empty() ? std::vector<std::string>{"y", "z"} : caller.outputs;
  if (answer.outputs.size() != names.size()) return complain(caller, "got other outputs");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& [name, tensor] = answer.outputs[i];
    const float expected = caller.value * (name == "y" ? 2.0F : 3.0F);
    if (name != names[i] || tensor.shape != tensor::Shape{caller.rows, caller.columns} ||
        !std::ranges::all_of(tensor.elements<float>(), [&](float v) { return v == expected; })) {
      complain(caller, "got another's numbers");
    }
  }
}

void Simulation::refused(const Caller& caller, const Error& error) {
  const TimePoint now = world_.clock.time;
  const Model& model = models_[caller.model];
  codes_.insert(error.code);
  switch (error.code) {
    case Code::kDeadlineExceeded:
      if (!caller.ends || now < *caller.ends) complain(caller, "expired before its time");
      // An answer that keeps the order may come later, and so does that of a run that was made again.
      if (caller.ends && now > std::max(*caller.ends, caller.arrives) && rerun_.empty() &&
          !model.settings.preserve_ordering) {
        complain(caller, "was told late that it expired");
      }
      return;
    case Code::kCancelled:
      if (!*caller.cancelled) complain(caller, "was dropped though its caller waits");
      return;
    case Code::kResourceExhausted:
      if (error.reason == Reason::kQueueFull ? error.fields.retry_after <= Duration{} : !tight_executor_) {
        complain(caller, "was refused without a time to come back");
      }
      if (model.settings.max_queue_size == 0 && model.settings.queue_budget == Duration{} &&
          !tight_executor_) {
        complain(caller, "was refused without a limit");
      }
      return;
    case Code::kInvalidArgument:
      if ((model.settings.max_batch_size == 0 && !model.fixed_batch) ||
          caller.rows <= static_cast<std::int64_t>(model.max_batch)) {
        complain(caller, "was refused for its size");
      }
      return;
    case Code::kInternal:
      if (!caller.poisoned && !failed_.contains(caller.value)) complain(caller, "failed for another's fault");
      return;
    default: complain(caller, error.message);
  }
}

}  // namespace bascule::sim

#include "sequence_world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace bascule::sim {
namespace {

using content::ControlKind;
using serving::SequenceSabotage;
using std::chrono::microseconds;
using tensor::DataType;
using tensor::NamedTensor;

constexpr std::size_t kMostEvents = 100'000;
constexpr float kNothing = -1;  // the state of a sequence that begins

template <class T>
T value_of(std::span<const NamedTensor> inputs, std::string_view name, std::size_t row) {
  const auto at = std::ranges::find(inputs, name, &NamedTensor::name);
  return at->tensor.elements<T>()[row];
}

}  // namespace

SequenceWorld::SequenceWorld(std::uint64_t seed, SequenceSabotage sabotage)
    : world_(seed, 1 + seed % 3), sabotage_(sabotage) {
  content::SequenceBatching& sequences = settings_.sequences.emplace();
  sequences.controls = {
      {.name = "S", .kind = ControlKind::kStart, .type = DataType::kInt32},
      {.name = "E", .kind = ControlKind::kEnd, .type = DataType::kFp32, .false_true = {-1, 2}},
      {.name = "R", .kind = ControlKind::kReady, .type = DataType::kBool},
      {.name = "C", .kind = ControlKind::kCorrelationId, .type = DataType::kUint64}};
  const std::vector<float> nothing{kNothing};
  sequences.states = {{.input = "K",
                       .output = "L",
                       .initial = tensor::copy_tensor<float>(DataType::kFp32, {1, 1}, nothing).value()}};
  sequences.max_idle = microseconds(500 + world_.upto(3000));
  max_batch_ = 1 + world_.upto(3);
  if (world_.chance(50)) settings_.max_batch_size = max_batch_;
  if (world_.chance(50)) settings_.instances = 1 + world_.upto(1);
  settings_.max_queue_size = world_.chance(60) ? 0 : 1 + world_.upto(10);
  settings_.queue_budget = world_.chance(60) ? Duration{} : microseconds(1 + world_.upto(5000));
  if (world_.chance(20)) settings_.max_queue_delay = microseconds(1 + world_.upto(500));
  if (world_.chance(20)) settings_.default_timeout = microseconds(1 + world_.upto(5000));
  settings_.preserve_ordering = world_.chance(20);
  slots_ = max_batch_ * (settings_.instances > 0 ? settings_.instances : world_.executor.width());
  if (world_.chance(30)) {
    sequences.strategy = content::SequenceBatching::Strategy::kOldest;
    sequences.max_candidates = 1 + world_.upto(4);  // of each instance
    slots_ = sequences.max_candidates * std::max<std::size_t>(settings_.instances, 1);
  }
  load();
  service_.emplace(
      catalog_,
      serving::Runtime{
          .executor = world_.executor, .timer = world_.timer, .clock = world_.clock, .metrics = metrics_},
      serving::InferenceOptions{.sequence_sabotage = sabotage_});
}

std::string SequenceWorld::run() {
  plan();
  if (!world_.run(kMostEvents)) return "it does not come to rest";
  for (std::size_t number = 1; number <= steps_.size(); ++number) {
    const Step& step = steps_[number - 1];
    if (step.answers != 1) complain(number, fmt::format("was answered {} times", step.answers));
  }
  if (service_->kept_bytes() > 0) wrong("a state is kept though all sequences are over");
  if (world_.timer.calls > steps_.size() * 6 + 16) {
    wrong(fmt::format("the timer was asked {} times", world_.timer.calls));
  }
  service_.reset();
  return wrong_;
}

void SequenceWorld::complain(std::size_t number, std::string_view what) {
  const Step& step = steps_[number - 1];
  wrong(fmt::format("request {} ({}{}) of sequence {} {}", number, step.start ? "start " : "",
                    step.end ? "end" : "", step.id, what));
}

// For the first time, and anew.
void SequenceWorld::load() {
  backend::FakeModel fake;
  const auto input = [](std::string name, DataType type) {
    return tensor::TensorSpec{.name = std::move(name), .type = type, .shape = {-1, 1}};
  };
  fake.spec.inputs = {input("x", DataType::kFp32),   input("S", DataType::kInt32),
                      input("E", DataType::kFp32),   input("R", DataType::kBool),
                      input("C", DataType::kUint64), input("K", DataType::kFp32)};
  fake.spec.inputs.back().optional = true;  // as a configured model has it
  fake.spec.outputs = {input("y", DataType::kFp32)};
  const Duration base = microseconds(20 + world_.upto(600));
  const bool fails = world_.chance(20);
  fake.run = [=, this](std::span<const NamedTensor> inputs) { return engine(inputs, base, fails); };
  backend_.add("s", std::move(fake));
  auto info = std::make_shared<content::ModelInfo>();
  info->name = "s";
  info->version = "1";
  info->batchable = true;
  catalog_.set_ready(std::make_shared<catalog::LoadedModel>(
      catalog::LoadedModel{.info = std::move(info),
                           .executable = backend_.load("s.fake", {}).value(),
                           .task = nullptr,
                           .measured_run = base,
                           .measured_bytes = 4,
                           .max_batch_size = max_batch_,
                           .saved_by_sharing = microseconds(100),
                           .settings = settings_}));
}

void SequenceWorld::plan() {
  const std::size_t count = 3 + world_.upto(9);
  for (std::size_t i = 1; i <= count; ++i) {
    TimePoint when = world_.clock.time + microseconds(world_.upto(4000));
    const std::size_t length = 1 + world_.upto(6);
    const std::uint64_t id = 1 + world_.upto(count - 1);  // some are used twice
    for (std::size_t j = 0; j < length; ++j) {
      Step step{.id = id, .start = j == 0, .end = j + 1 == length, .arrives = when};
      if (world_.chance(6)) step.start = !step.start;
      if (world_.chance(6)) step.end = !step.end;
      if (world_.chance(15)) step.ends = when + microseconds(world_.upto(3000));
      steps_.push_back(step);
      if (world_.chance(50)) when += microseconds(world_.upto(1500));
      if (world_.chance(5)) when += settings_.sequences->max_idle + microseconds(world_.upto(2000));
    }
  }
  std::ranges::stable_sort(steps_, {}, &Step::arrives);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    // Apart, so that those of one time come in the order of their numbers.
    steps_[i].arrives += Duration(i);
    world_.at(steps_[i].arrives, [this, i] { ask(i + 1); });
    if (world_.chance(10)) {
      world_.at(steps_[i].arrives + microseconds(world_.upto(2000)),
                [this, i] { *steps_[i].cancelled = true; });
    }
  }
  for (std::size_t i = world_.upto(2); i > 0; --i) {
    world_.at(world_.clock.time + microseconds(world_.upto(6000)), [this] { load(); });
  }
}

// Whether it must count as one that is under way, as far as can be told from outside.
bool SequenceWorld::holds_slot(const Sequence& sequence) const {
  if (!sequence.live || sequence.unsure) return false;
  return sequence.running || world_.clock.time < sequence.last_answer + settings_.sequences->max_idle;
}

void SequenceWorld::ask(std::size_t number) {
  Step& step = steps_[number - 1];
  Sequence& sequence = sequences_[step.id];
  // Answers that keep the order leave later than the sequence goes on.
  const bool alone = sequence.pending == 0 && !sequence.unsure && !step.start && !settings_.preserve_ordering;
  if (alone) {
    const Duration max_idle = settings_.sequences->max_idle;
    step.must_be_refused = !sequence.live || world_.clock.time > sequence.last_touched + max_idle;
    step.must_be_let_in = sequence.live && world_.clock.time < sequence.last_answer + max_idle;
    if (sequence.live && step.must_be_refused) ++stale_;
  }
  const auto holders =
      std::ranges::count_if(sequences_, [&](const auto& one) { return holds_slot(one.second); });
  if (step.start && !holds_slot(sequence) && std::cmp_greater_equal(holders, slots_)) ++waits_for_a_slot_;
  ++sequence.pending;
  content::InferRequest request{.model = "s", .id = fmt::format("{}", number)};
  const std::vector<float> value{static_cast<float>(number)};
  request.inputs.push_back(
      {.name = "x", .tensor = tensor::copy_tensor<float>(DataType::kFp32, {1, 1}, value).value()});
  request.deadline = step.ends;
  if (!step.ends && settings_.default_timeout > Duration{}) {
    step.ends = world_.clock.time + settings_.default_timeout;
  }
  request.cancelled = step.cancelled;
  request.sequence = {.id = step.id, .start = step.start, .end = step.end};
  service_->infer(std::move(request),
                  [this, number](Result<content::InferResponse> answer, bool) { answered(number, answer); });
}

Result<SequenceWorld::Outputs> SequenceWorld::engine(std::span<const NamedTensor> inputs, Duration took,
                                                     bool fails) {
  const auto values = inputs[0].tensor.elements<float>();
  std::vector<std::size_t> numbers;
  for (std::size_t row = 0; row < values.size(); ++row) {
    numbers.push_back(static_cast<std::size_t>(values[row]));
    begin_row(numbers.back(), inputs, row);
  }
  if (numbers.size() > 1) ++shared_runs_;
  world_.busy(took);
  const bool failed = fails && world_.chance(10);
  for (const std::size_t number : numbers) {
    Step& step = steps_[number - 1];
    Sequence& sequence = sequences_[step.id];
    step.failed = step.failed || failed;
    // Until its answer has left, which is now, it is not idle.
    sequence.running = false;
    sequence.last_answer = world_.clock.time;
    if (step.end) sequence.live = false;
    if (!failed) sequence.kept = static_cast<float>(number);
  }
  if (failed) return internal_error("The engine failed.");
  auto out = tensor::make_tensor(DataType::kFp32, inputs[0].tensor.shape).value();
  std::ranges::transform(values, out.elements<float>().begin(), [](float v) { return v * 2; });
  return Outputs{{.name = "y", .tensor = std::move(out.tensor)}, {.name = "L", .tensor = inputs[0].tensor}};
}

void SequenceWorld::begin_row(std::size_t number, std::span<const NamedTensor> inputs, std::size_t row) {
  Step& step = steps_[number - 1];
  Sequence& sequence = sequences_[step.id];
  if (value_of<std::int32_t>(inputs, "S", row) != (step.start ? 1 : 0)) complain(number, "has a wrong START");
  if (value_of<float>(inputs, "E", row) != (step.end ? 2 : -1)) complain(number, "has a wrong END");
  if (!value_of<bool>(inputs, "R", row)) complain(number, "is not READY");
  if (value_of<std::uint64_t>(inputs, "C", row) != step.id) complain(number, "has another's id");
  if (step.start) sequence.kept = kNothing;
  if (const float kept = value_of<float>(inputs, "K", row); kept != sequence.kept) {
    complain(number, fmt::format("gets {} for the state, which is {}", kept, sequence.kept));
  }
  if (sequence.running) complain(number, "is run while another of its sequence is");
  if (step.answers > 0) complain(number, "is run after its answer");
  if (number < sequence.last_run) complain(number, "is run behind one that came later");
  if (step.ends && *step.ends <= world_.clock.time) complain(number, "is run after its deadline");
  if (*step.cancelled) complain(number, "is run after its caller had gone");
  if (step.must_be_refused) complain(number, "is run without a START");
  const bool again = step.was_run;  // by itself, after a shared run that failed
  if (!step.start && !sequence.live && !again) complain(number, "is run in a sequence that has not begun");
  if (step.start && !again) check_slots(number);
  sequence.running = true;
  sequence.last_run = number;
  if (step.start) sequence.unsure = sequence.refused_start > number;
  sequence.live = sequence.live || step.start;
  step.was_run = true;
  ++steps_run_;
}

void SequenceWorld::check_slots(std::size_t number) {
  std::size_t holders = 1;
  for (const auto& [id, sequence] : sequences_) {
    if (id != steps_[number - 1].id && holds_slot(sequence)) ++holders;
  }
  if (holders > slots_) complain(number, fmt::format("is the {}th of {} at once", holders, slots_));
}

void SequenceWorld::answered(std::size_t number, const Result<content::InferResponse>& answer) {
  Step& step = steps_[number - 1];
  if (++step.answers > 1) return complain(number, "was answered twice");
  --sequences_[step.id].pending;
  sequences_[step.id].last_touched = world_.clock.time;
  if (!answer) return refused(number, answer.error());
  if (answer->id != fmt::format("{}", number)) complain(number, "got the answer to " + answer->id);
  if (answer->outputs.size() != 1) complain(number, "got a state, which is not for callers");
  if (answer->outputs[0].tensor.elements<float>()[0] != static_cast<float>(number) * 2) {
    complain(number, "got another's numbers");
  }
}

void SequenceWorld::refused(std::size_t number, const Error& error) {
  const Step& step = steps_[number - 1];
  Sequence& sequence = sequences_[step.id];
  codes_.insert(error.code);
  if (step.start && !step.was_run) {
    sequence.unsure = true;
    sequence.refused_start = std::max(sequence.refused_start, number);
  }
  const TimePoint now = world_.clock.time;
  switch (error.code) {
    case Code::kInvalidArgument:
      if (error.message.find("START") == std::string::npos) complain(number, error.message);
      if (step.start) complain(number, "has a START and was refused for having none");
      if (step.must_be_let_in) complain(number, "was refused though its sequence is under way");
      // Where answers keep the order, that to the START may come later.
      if (now > step.arrives && sequence.refused_start == 0 && !settings_.preserve_ordering)
        complain(number, "was dropped though it could be run");
      return;
    case Code::kDeadlineExceeded:
      if (!step.ends || now < *step.ends) complain(number, "expired before its time");
      if (step.ends && now > std::max(*step.ends, step.arrives) && !step.failed &&
          !settings_.preserve_ordering) {
        complain(number, "was told late that it expired");
      }
      return;
    case Code::kCancelled:
      if (!*step.cancelled) complain(number, "was dropped though its caller waits");
      return;
    case Code::kResourceExhausted:
      if (settings_.max_queue_size == 0 && settings_.queue_budget == Duration{}) {
        complain(number, "was refused without a limit");
      }
      return;
    case Code::kInternal:
      if (!step.failed) complain(number, "failed without a run that did");
      return;
    default: complain(number, error.message);
  }
}

}  // namespace bascule::sim

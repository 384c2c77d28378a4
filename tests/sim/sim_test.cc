// A whole server without sockets, on one thread and out of one seed: catalog, batching and serving, a
// scripted engine that is slow and fails, callers that give up. What must hold is checked while it runs and
// at the end.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "backend/fake/fake_backend.h"
#include "catalog/catalog.h"
#include "serving/inference_service.h"
#include "world.h"

namespace bascule::sim {
namespace {

using batching::Sabotage;
using std::chrono::microseconds;
using tensor::NamedTensor;

constexpr std::uint64_t kSeeds = 1000;
constexpr std::size_t kMostEvents = 100'000;  // some hundred are usual
constexpr float kPoison = 0.5F;               // a value that makes every run with it fail

// One request and what became of it.
struct Caller {
  std::string model;
  float value = 0;  // of all its elements; no other request has it
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  std::vector<std::string> outputs;
  bool poisoned = false;
  TimePoint arrives;
  std::optional<TimePoint> deadline;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  int answers = 0;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Sabotage sabotage)
      : world_(seed, 1 + seed % 3), sabotage_(sabotage), max_batch_(1 + world_.upto(5)) {
    limits_.max_queue_size = world_.chance(50) ? 0 : 1 + world_.upto(20);
    limits_.queue_budget = world_.chance(50) ? Duration{} : microseconds(1 + world_.upto(5000));
    delay_ = world_.chance(60) ? Duration{} : Duration(microseconds(1 + world_.upto(3000)));
    if (world_.chance(20)) world_.executor.max_waiting = world_.upto(2);
    tight_executor_ = world_.executor.max_waiting < 10;
    models_ = 1 + world_.upto(1);
    for (std::size_t i = 0; i < models_; ++i) load(fmt::format("m{}", i));
    service_.emplace(
        catalog_,
        serving::Runtime{
            .executor = world_.executor, .timer = world_.timer, .clock = world_.clock, .metrics = metrics_},
        serving::InferenceOptions{.sabotage = sabotage_});
  }

  // What was wrong first; empty: nothing.
  std::string run() {
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
  [[nodiscard]] std::size_t shared_runs() const { return shared_runs_; }
  [[nodiscard]] const std::set<Code>& codes() const { return codes_; }

 private:
  void wrong(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }
  void complain(const Caller& caller, std::string_view what) {
    wrong(fmt::format("request {} of {} {}", caller.value, caller.model, what));
  }

  void load(const std::string& name) {
    backend::FakeModel fake;
    fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, -1}}};
    fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kFp32, .shape = {-1, -1}},
                         {.name = "z", .type = tensor::DataType::kFp32, .shape = {-1, -1}}};
    const Duration base = microseconds(20 + world_.upto(800));
    const Duration each = microseconds(world_.upto(200));
    const bool fails = world_.chance(20);
    fake.run = [=, this](std::span<const NamedTensor> inputs) { return engine(inputs, base, each, fails); };
    backend_.add(name, std::move(fake));
    auto info = std::make_shared<content::ModelInfo>();
    info->name = name;
    info->version = "1";
    catalog_.set_ready(std::make_shared<catalog::LoadedModel>(
        catalog::LoadedModel{.info = std::move(info),
                             .executable = backend_.load(name + ".fake", {}).value(),
                             .task = nullptr,
                             .measured_run = base,
                             .measured_bytes = 4,
                             .max_batch_size = max_batch_,
                             .saved_by_sharing = microseconds(100),
                             .settings = {.max_queue_delay = delay_,
                                          .max_queue_size = limits_.max_queue_size,
                                          .queue_budget = limits_.queue_budget}}));
  }

  // y = 2x, z = 3x.
  Result<std::vector<NamedTensor>> engine(std::span<const NamedTensor> inputs, Duration base, Duration each,
                                          bool fails) {
    const tensor::Tensor& x = inputs[0].tensor;
    const auto values = x.elements<float>();
    check_run(values, static_cast<std::size_t>(x.shape[0]));
    world_.busy(base + each * x.shape[0]);
    if (fails && world_.chance(10)) {
      failed_.insert(values.begin(), values.end());
      reruns_ = true;
      return internal_error("The engine failed.");
    }
    for (const float v : values) {
      if (v == std::floor(v)) continue;
      reruns_ = true;
      return internal_error("Poison.");
    }
    std::vector<NamedTensor> out;
    for (const auto& [name, factor] : {std::pair("y", 2.0F), std::pair("z", 3.0F)}) {
      auto slot = tensor::make_tensor(tensor::DataType::kFp32, x.shape).value();
      std::ranges::transform(values, slot.elements<float>().begin(), [&](float v) { return v * factor; });
      out.push_back({.name = name, .tensor = std::move(slot.tensor)});
    }
    return out;
  }

  void check_run(std::span<const float> values, std::size_t rows) {
    const std::set<float> askers(values.begin(), values.end());
    if (askers.size() > 1) ++shared_runs_;
    if (askers.size() > 1 && rows > max_batch_) wrong(fmt::format("a shared run of {} rows", rows));
    for (const float value : askers) {
      if (!(value >= 1 && value < static_cast<float>(callers_.size() + 1)))
        return wrong("a run on made-up numbers");
      const Caller& caller = callers_[static_cast<std::size_t>(value) - 1];
      if (caller.deadline && *caller.deadline <= world_.clock.time)
        complain(caller, "was run after its deadline");
      if (*caller.cancelled) complain(caller, "was run after its caller had gone");
      if (caller.answers > 0) complain(caller, "was run after its answer");
    }
  }

  void check_no_idle_wait() {
    const auto waiting = service_->waiting();
    const auto& executor = world_.executor;
    if (executor.waiting() + executor.running() > models_ * executor.width()) {
      wrong("more instances at work than there are");
    }
    for (const auto& [model, count] : waiting) {
      if (limits_.max_queue_size > 0 && count > limits_.max_queue_size) {
        wrong(fmt::format("{} requests wait, more than {}", count, limits_.max_queue_size));
      }
      if (count > 0 && delay_ == Duration{} && !tight_executor_ && executor.waiting() == 0 &&
          executor.running() < executor.width()) {
        wrong(fmt::format("{} requests wait while an instance is idle", count));
      }
    }
  }

  void plan_callers() {
    const std::size_t count = 20 + world_.upto(60);
    TimePoint when = world_.clock.time;
    for (std::size_t i = 0; i < count; ++i) {
      if (world_.chance(30)) when += microseconds(world_.upto(2500));  // else a burst
      Caller caller{.model = fmt::format("m{}", world_.upto(models_ - 1)), .arrives = when};
      caller.value = static_cast<float>(i + 1);
      caller.poisoned = world_.chance(4);
      if (caller.poisoned) caller.value += kPoison;
      caller.rows = 1 + static_cast<std::int64_t>(world_.upto(world_.chance(20) ? 7 : 1));
      caller.columns = 1 + static_cast<std::int64_t>(world_.upto(1));
      if (world_.chance(30)) caller.outputs = {world_.chance(50) ? "z" : "y"};
      if (world_.chance(30)) caller.deadline = when + microseconds(world_.upto(3000));
      callers_.push_back(std::move(caller));
    }
    for (std::size_t i = 0; i < count; ++i) {
      world_.at(callers_[i].arrives, [this, i] { ask(i); });
      if (!world_.chance(10)) continue;
      world_.at(callers_[i].arrives + microseconds(world_.upto(2000)),
                [this, i] { *callers_[i].cancelled = true; });
    }
  }

  void ask(std::size_t index) {
    const Caller& caller = callers_[index];
    content::InferRequest request{.model = caller.model, .id = fmt::format("{}", caller.value)};
    const std::vector<float> values(static_cast<std::size_t>(caller.rows * caller.columns), caller.value);
    request.inputs.push_back(
        {.name = "x",
         .tensor = tensor::copy_tensor<float>(tensor::DataType::kFp32, {caller.rows, caller.columns}, values)
                       .value()});
    request.outputs = caller.outputs;
    request.deadline = caller.deadline;
    request.cancelled = caller.cancelled;
    request.caller = index % 7;
    service_->infer(std::move(request), [this, index](Result<content::InferResponse> answer, bool last) {
      if (!last) complain(callers_[index], "got an answer that is not the last");
      answered(callers_[index], answer);
    });
  }

  void answered(Caller& caller, const Result<content::InferResponse>& answer) {
    if (++caller.answers > 1) return complain(caller, "was answered twice");
    if (!answer) return refused(caller, answer.error());
    if (caller.poisoned) complain(caller, "is poisoned and was answered");
    if (answer->id != fmt::format("{}", caller.value)) complain(caller, "got the answer to " + answer->id);
    const std::vector<std::string> names =
        caller.outputs.empty() ? std::vector<std::string>{"y", "z"} : caller.outputs;
    if (answer->outputs.size() != names.size()) return complain(caller, "got other outputs");
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto& [name, tensor] = answer->outputs[i];
      const float expected = caller.value * (name == "y" ? 2.0F : 3.0F);
      if (name != names[i] || tensor.shape != tensor::Shape{caller.rows, caller.columns} ||
          !std::ranges::all_of(tensor.elements<float>(), [&](float v) { return v == expected; })) {
        complain(caller, "got another's numbers");
      }
    }
  }

  void refused(const Caller& caller, const Error& error) {
    const TimePoint now = world_.clock.time;
    codes_.insert(error.code);
    switch (error.code) {
      case Code::kDeadlineExceeded:
        if (!caller.deadline || now < *caller.deadline) complain(caller, "expired before its time");
        if (caller.deadline && now > std::max(*caller.deadline, caller.arrives) && !reruns_) {
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
        if (limits_.max_queue_size == 0 && limits_.queue_budget == Duration{} && !tight_executor_) {
          complain(caller, "was refused without a limit");
        }
        return;
      case Code::kInternal:
        if (!caller.poisoned && !failed_.contains(caller.value))
          complain(caller, "failed for another's fault");
        return;
      default: complain(caller, error.message);
    }
  }

  World world_;
  const Sabotage sabotage_;
  const std::size_t max_batch_;
  batching::AdmissionLimits limits_;
  Duration delay_{};
  bool tight_executor_ = false;
  std::size_t models_ = 1;
  backend::FakeBackend backend_;
  catalog::Catalog catalog_{""};
  metrics::Metrics metrics_;
  std::optional<serving::InferenceService> service_;
  std::vector<Caller> callers_;
  std::set<float> failed_;  // values of runs that failed by chance
  bool reruns_ = false;     // a run failed: its requests were run again by themselves, later
  std::size_t shared_runs_ = 0;
  std::set<Code> codes_;
  std::string wrong_;
};

TEST(Simulation, EveryRequestIsAnsweredOnceAndRightly) {
  std::size_t shared_runs = 0;
  std::set<Code> codes;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation simulation(seed, Sabotage::kNone);
    ASSERT_EQ(simulation.run(), "") << "seed " << seed;
    shared_runs += simulation.shared_runs();
    codes.insert(simulation.codes().begin(), simulation.codes().end());
  }
  // What it is about did happen.
  EXPECT_GT(shared_runs, kSeeds);
  EXPECT_EQ(codes, (std::set<Code>{Code::kDeadlineExceeded, Code::kCancelled, Code::kResourceExhausted,
                                   Code::kInternal}));
}

// The simulation is worth something only if it finds bugs.
TEST(Simulation, FindsEverySeededBug) {
  for (int bug = 1; bug <= static_cast<int>(batching::kLastSabotage); ++bug) {
    std::uint64_t seed = 1;
    std::string found;
    for (; seed <= kSeeds && found.empty(); ++seed) {
      found = Simulation(seed, static_cast<Sabotage>(bug)).run();
    }
    EXPECT_NE(found, "") << "bug " << bug;
    fmt::print("bug {:2}: seed {:4}: {}\n", bug, seed - 1, found);
  }
}

}  // namespace
}  // namespace bascule::sim

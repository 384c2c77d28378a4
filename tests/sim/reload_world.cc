#include "reload_world.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

namespace bascule::sim {
namespace {

using catalog::Sabotage;
using std::chrono::microseconds;
using tensor::NamedTensor;

constexpr std::size_t kMostEvents = 100'000;  // some hundred are usual

}  // namespace

// A loaded model that tells when it is destroyed.
struct ReloadSimulation::Held {
  ~Held() { simulation->freed(id, bytes); }
  catalog::LoadedModel model;
  ReloadSimulation* simulation;
  std::uint64_t id;
  std::uint64_t bytes;
};

ReloadSimulation::ReloadSimulation(std::uint64_t seed, Sabotage sabotage)
    : world_(seed, 1 + seed % 3), sabotage_(sabotage) {
  std::uint64_t all = 0;
  const std::size_t count = 1 + world_.upto(2);
  for (std::size_t i = 0; i < count; ++i) {
    Watched& model = models_[fmt::format("m{}", i)];
    model.file.bytes = 10 + world_.upto(30);
    model.file.loads_in = microseconds(world_.upto(3000));
    all += model.file.bytes;
    largest_ = std::max(largest_, model.file.bytes);
  }
  if (world_.chance(60)) budget_ = largest_ + world_.upto(all - largest_);
  tight_ = world_.chance(15);
  most_parked_ = world_.chance(30) ? 1 + world_.upto(4) : 0;
}

void ReloadSimulation::start() {
  const bool on_use = world_.chance(30);
  for (auto& [name, model] : models_) {
    model.wanted = world_.chance(80);
    model.held = !model.wanted && !on_use;
    model.file.bad = world_.chance(5);
  }
  catalog::ManagerOptions options;
  options.scan = [this] { return scan(); };
  options.wanted = [this](const std::string& name) { return models_[name].wanted; };
  options.load = [this](const catalog::ModelSource& source) { return load(source); };
  options.loaded = [this](const catalog::ModelSource& source, const Result<catalog::Handle>& model,
                          Duration) {
    models_[source.name].failed = !model;
    if (!model) ++seen_.failures;
  };
  options.freed = [this] {
    if (!loader_.here()) wrong("memory was given back by another than the loader");
  };
  options.load_on_use = on_use;
  options.memory_budget = budget_;
  options.resident = [this] { return in_use_; };
  options.evicted = [this](const std::string&) { ++seen_.evictions; };
  options.sabotage = sabotage_;
  manager_.emplace(std::move(options), world_.clock, catalog_, loader_);
  service_.emplace(catalog_,
                   serving::Runtime{.executor = world_.executor,
                                    .timer = world_.timer,
                                    .clock = world_.clock,
                                    .metrics = metrics_,
                                    .manager = &*manager_},
                   serving::InferenceOptions{.max_parked = most_parked_, .lifecycle_sabotage = sabotage_});
  manager_->start(scan(), [](const Result<void>&) {});
}

std::string ReloadSimulation::run() {
  start();
  if (!world_.run(kMostEvents)) return "it does not come to rest at the start";
  world_.before_time_passes = [this] { check_memory(); };
  if (tight_) loader_.most = 1 + world_.upto(1);
  plan_requests();
  plan_operations();
  if (!world_.run(kMostEvents)) return "it does not come to rest";
  manager_->stop();
  if (!world_.run(kMostEvents)) return "it does not come to rest after its end";
  check_at_the_end();
  service_.reset();
  loader_.stopped = true;  // the catalog's own are freed wherever they are let go of
  return wrong_;
}

void ReloadSimulation::complain(const Request& request, std::string_view what) {
  wrong(fmt::format("request {} of {} {}", request.value, request.model, what));
}

catalog::Found ReloadSimulation::scan() const {
  catalog::Found found;
  for (const auto& [name, model] : models_) {
    if (!model.file.there) continue;
    catalog::ModelSource& source = found.sources.emplace_back();
    source.name = name;
    source.version = "1";
    source.file = "/nowhere/" + name;
    source.stamp.model = {.bytes = model.file.bytes / 2, .inode = model.file.stamp};
  }
  return found;
}

std::uint64_t ReloadSimulation::current(const std::string& name) const {
  const auto pinned = catalog_.pin(name, "");
  return pinned ? ids_.at(pinned->get()) : 0;
}

void ReloadSimulation::check_before_load(const catalog::ModelSource& source) {
  const std::string& name = source.name;
  const Watched& model = models_[name];
  if (!loader_.here()) wrong("a load elsewhere than on the loader");
  // One whose file was away is a new one.
  if (model.held && model.loads_asked == 0 && !model.removed) {
    wrong(fmt::format("{} is loaded, though it was unloaded on request", name));
  }
  if (budget_ == 0) return;
  const std::uint64_t need = current(name) != 0 ? 0 : source.stamp.model.bytes;
  if (in_use_ + need > budget_) {
    wrong(fmt::format("a load of at least {} begins at {} of {}", need, in_use_, budget_));
  }
}

Result<catalog::Handle> ReloadSimulation::load(const catalog::ModelSource& source) {
  const std::string& name = source.name;
  check_before_load(source);
  const File file = models_[name].file;
  const std::uint64_t before = current(name);
  const std::uint64_t id = ++last_id_;
  in_use_ += file.bytes;
  alive_.insert(id);
  const auto held = std::make_shared<Held>(catalog::LoadedModel{}, this, id, file.bytes);
  loader_.busy(file.loads_in);
  if (before != 0) ++seen_.reloads;
  if (file.bad || !file.there) {
    world_.at(world_.clock.time, [this, name, before] {
      const Watched& now = models_[name];
      if (before != 0 && budget_ == 0 && !now.held && !now.removed && current(name) == 0) {
        wrong(fmt::format("a load that fails takes {} away", name));
      }
    });
    return invalid_argument("The file is bad.");
  }
  auto info = std::make_shared<content::ModelInfo>();
  info->name = name;
  info->version = "1";
  backend::FakeModel fake;
  fake.spec.inputs = {{.name = "x", .type = tensor::DataType::kFp32, .shape = {-1, 1}}};
  fake.spec.outputs = {{.name = "y", .type = tensor::DataType::kFp32, .shape = {-1, 1}}};
  const Duration takes = microseconds(20 + world_.upto(800));
  fake.run = [this, id, takes](std::span<const NamedTensor> inputs) { return engine(id, takes, inputs); };
  backend_.add(name, std::move(fake));
  held->model = {.info = std::move(info),
                 .executable = backend_.load(name + ".fake", {}).value(),
                 .task = nullptr,
                 .measured_run = takes,
                 .measured_bytes = 4,
                 .max_batch_size = 1 + world_.upto(3),
                 .saved_by_sharing = microseconds(100)};
  ids_[&held->model] = id;
  models_[name].newest = id;
  return catalog::Handle(held, &held->model);
}

void ReloadSimulation::freed(std::uint64_t id, std::uint64_t bytes) {
  alive_.erase(id);
  in_use_ -= bytes;
  ++seen_.freed;
  if (!loader_.here() && !loader_.stopped) wrong(fmt::format("instance {} is freed by a request", id));
}

// y = 2x, and x's own number of the instance that ran it.
Result<std::vector<NamedTensor>> ReloadSimulation::engine(std::uint64_t id, Duration takes,
                                                          std::span<const NamedTensor> inputs) {
  const auto values = inputs[0].tensor.elements<float>();
  for (const float value : values) {
    const Request& request = requests_[static_cast<std::size_t>(value) - 1];
    if (request.answers > 0) complain(request, "was run after its answer");
    if (request.deadline && *request.deadline <= world_.clock.time) complain(request, "was run too late");
    if (id < request.not_older) {
      complain(request, fmt::format("was run by instance {}, which was replaced before it was sent", id));
    }
  }
  world_.busy(takes);
  if (!alive_.contains(id)) wrong(fmt::format("instance {} was freed while it ran", id));
  auto slot = tensor::make_tensor(tensor::DataType::kFp32, inputs[0].tensor.shape).value();
  std::ranges::transform(values, slot.elements<float>().begin(), [](float v) { return v * 2; });
  return std::vector{NamedTensor{.name = "y", .tensor = std::move(slot.tensor)}};
}

void ReloadSimulation::plan_requests() {
  const std::size_t count = 30 + world_.upto(60);
  TimePoint when = world_.clock.time;
  for (std::size_t i = 0; i < count; ++i) {
    if (world_.chance(50)) when += microseconds(world_.upto(1500));
    if (world_.chance(1)) when += std::chrono::seconds(11);  // what failed may be tried again
    Request request{.model = pick(), .value = static_cast<float>(i + 1), .arrives = when};
    if (world_.chance(25)) request.deadline = when + microseconds(world_.upto(4000));
    requests_.push_back(std::move(request));
  }
  for (std::size_t i = 0; i < count; ++i) {
    world_.at(requests_[i].arrives, [this, i] { ask(i); });
    if (!world_.chance(5)) continue;
    world_.at(requests_[i].arrives + microseconds(world_.upto(2000)),
              [this, i] { *requests_[i].cancelled = true; });
  }
}

void ReloadSimulation::plan_operations() {
  const Duration span = requests_.back().arrives - requests_.front().arrives;
  const TimePoint first = requests_.front().arrives;
  const auto any_time = [&] {
    return first + microseconds(world_.upto(static_cast<std::uint64_t>(
                       std::chrono::duration_cast<microseconds>(span).count() + 1)));
  };
  for (std::uint64_t i = 0; i < 8 + world_.upto(12); ++i) {
    world_.at(any_time(), [this, name = pick()] { operate(name); });
  }
  if (world_.chance(10)) {
    world_.at(any_time(), [this] {
      shut_down_ = true;
      loader_.stopped = true;
    });
  }
}

void ReloadSimulation::operate(const std::string& name) {
  switch (world_.upto(9)) {
    case 0: return ask_to_unload(name);
    case 1:
    case 2: return change_file(name);
    case 3:
    case 4: return manager_->rescan([](bool) {});
    default: return ask_to_load(name);
  }
}

void ReloadSimulation::ask_to_load(const std::string& name) {
  ++models_[name].loads_asked;
  manager_->load(name, [this, name](const Result<void>& done) {
    Watched& model = models_[name];
    --model.loads_asked;
    if (!done) {
      const Code code = done.error().code;
      // What failed is not held any more; what was unloaded while it waited, or never looked at, is.
      if (code == Code::kInvalidArgument) model.held = false;
      return;
    }
    model.held = false;
    const std::uint64_t now = current(name);
    if (now != model.newest && !(now == 0 && budget_ > 0)) {
      wrong(fmt::format("{} was loaded as {}, but {} serves", name, model.newest, now));
    }
  });
}

void ReloadSimulation::ask_to_unload(const std::string& name) {
  manager_->unload(name, [this, name](const Result<void>& done) {
    if (!done) return;
    models_[name].held = true;
    if (current(name) != 0) wrong(fmt::format("{} serves after it was unloaded", name));
  });
}

void ReloadSimulation::change_file(const std::string& name) {
  Watched& model = models_[name];
  File& file = model.file;
  ++file.stamp;
  file.bad = world_.chance(25);
  file.bytes = 10 + world_.upto(30);
  file.there = !world_.chance(10);
  if (!file.there) model.removed = true;
  file.loads_in = microseconds(world_.upto(world_.chance(20) ? 20'000 : 2000));
  largest_ = std::max(largest_, file.bytes);
  for (int i = 1; i <= 3; ++i) {
    world_.at(world_.clock.time + microseconds(500 * i), [this] { manager_->rescan([](bool) {}); });
  }
}

void ReloadSimulation::ask(std::size_t index) {
  Request& request = requests_[index];
  const std::uint64_t now = current(request.model);
  request.not_older = now != 0 ? now : models_[request.model].newest + 1;
  content::InferRequest asked{.model = request.model, .id = fmt::format("{}", request.value)};
  asked.inputs.push_back(
      {.name = "x",
       .tensor = tensor::copy_tensor<float>(tensor::DataType::kFp32, {1, 1}, {&request.value, 1}).value()});
  asked.deadline = request.deadline;
  asked.cancelled = request.cancelled;
  asked.caller = index % 7;
  service_->infer(std::move(asked),
                  [this, index, waits = now == 0](const Result<content::InferResponse>& answer, bool) {
                    if (answer && waits) ++seen_.waited;
                    answered(requests_[index], answer);
                  });
}

void ReloadSimulation::answered(Request& request, const Result<content::InferResponse>& answer) {
  if (++request.answers > 1) return complain(request, "was answered twice");
  if (!answer) return refused(request, answer.error());
  if (answer->id != fmt::format("{}", request.value)) complain(request, "got the answer to " + answer->id);
  if (answer->outputs[0].tensor.elements<float>()[0] != request.value * 2)
    complain(request, "got other numbers");
}

void ReloadSimulation::refused(const Request& request, const Error& error) {
  seen_.codes.insert(error.code);
  const Watched& model = models_[request.model];
  const TimePoint now = world_.clock.time;
  switch (error.code) {
    case Code::kDeadlineExceeded:
      if (!request.deadline || now < *request.deadline) return complain(request, "expired before its time");
      if (now > std::max(*request.deadline, request.arrives))
        complain(request, "was told late that it expired");
      return;
    case Code::kCancelled:
      if (!*request.cancelled) complain(request, "was dropped though its caller waits");
      return;
    case Code::kFailedPrecondition:
      if (!model.held && !model.failed && !model.removed) complain(request, "was refused: " + error.message);
      return;
    case Code::kNotFound:
      if (!model.removed) complain(request, "was refused: " + error.message);
      return;
    case Code::kResourceExhausted:
      if (!tight_ && most_parked_ == 0) complain(request, "was refused: " + error.message);
      return;
    case Code::kUnavailable:
      if (!shut_down_) complain(request, "was refused: " + error.message);
      return;
    default: complain(request, error.message);
  }
}

void ReloadSimulation::check_memory() {
  if (budget_ > 0 && in_use_ > budget_ + largest_) {
    wrong(fmt::format("{} of memory in use; the budget is {} and one load {}", in_use_, budget_, largest_));
  }
}

void ReloadSimulation::check_at_the_end() {
  for (const Request& request : requests_) {
    if (request.answers != 1) complain(request, fmt::format("was answered {} times", request.answers));
  }
  std::set<std::uint64_t> serving;
  for (const auto& [name, model] : models_) {
    if (const std::uint64_t id = current(name); id != 0) serving.insert(id);
  }
  if (alive_ != serving) {
    wrong(fmt::format("{} instances are in memory, {} serve", alive_.size(), serving.size()));
  }
  if (budget_ > 0 && in_use_ > budget_) wrong(fmt::format("{} of {} in use at rest", in_use_, budget_));
}

}  // namespace bascule::sim

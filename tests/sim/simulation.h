#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "batching/sabotage.h"
#include "catalog/catalog.h"
#include "content/model_settings.h"
#include "serving/inference_service.h"
#include "world.h"

namespace bascule::sim {

// One request and what became of it.
struct Caller {
  std::string model;
  float value = 0;  // of all its elements; no other request has it
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  std::vector<std::string> outputs;
  bool poisoned = false;
  TimePoint arrives;
  std::optional<TimePoint> deadline;  // that it names
  std::optional<TimePoint> ends;      // the deadline that counts
  std::uint64_t priority = 0;         // that it names
  std::uint32_t level = 0;            // the one that counts
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  bool asked = false;
  bool begun = false;
  int answers = 0;
};

// A model of the simulated server, and how it is doing.
struct Model {
  content::ModelSettings settings;
  std::size_t max_batch = 1;
  bool fixed_batch = false;  // every run has so many rows
  std::size_t instances = 1;
  std::size_t running = 0;
  std::size_t cost = 1;            // tokens of a run
  std::deque<std::size_t> let_in;  // callers without an answer, in their order
};

// A whole server without sockets, on one thread and out of one seed: catalog, batching and serving, a
// scripted engine that is slow and fails, callers that give up. What must hold is checked while it runs and
// at the end. Thread-safety: external (one thread).
class Simulation {
 public:
  Simulation(std::uint64_t seed, batching::Sabotage sabotage);
  // What was wrong first; empty: nothing.
  std::string run();
  [[nodiscard]] std::size_t shared_runs() const { return shared_runs_; }
  [[nodiscard]] std::size_t padded_runs() const { return padded_runs_; }
  [[nodiscard]] std::size_t overtakes() const { return overtakes_; }
  [[nodiscard]] const std::set<Code>& codes() const { return codes_; }

 private:
  using Outputs = std::vector<tensor::NamedTensor>;

  void wrong(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }
  void complain(const Caller& caller, std::string_view what);

  void load(const std::string& name);
  content::ModelSettings draw_settings(std::size_t max_batch);
  void plan_callers();
  Caller draw_caller(std::size_t number, TimePoint when);
  void ask(std::size_t index);

  Result<Outputs> engine(const std::string& name, std::span<const tensor::NamedTensor> inputs, Duration took,
                         bool fails);
  void check_run(const std::string& name, std::span<const float> values, std::size_t rows);
  void check_member(const Caller& caller);
  void check_priority(const Model& model, const std::string& name, const std::set<float>& askers);
  void check_no_idle_wait();
  void answered(std::size_t index, const Result<content::InferResponse>& answer);
  void check_order(std::size_t index, const Result<content::InferResponse>& answer);
  void check_numbers(const Caller& caller, const content::InferResponse& answer);
  void refused(const Caller& caller, const Error& error);
  Caller& caller_of(float value) { return callers_[static_cast<std::size_t>(value) - 1]; }

  World world_;
  const batching::Sabotage sabotage_;
  bool tight_executor_ = false;
  std::map<std::string, Model> models_;
  backend::FakeBackend backend_;
  catalog::Catalog catalog_{""};
  metrics::Metrics metrics_;
  std::optional<serving::InferenceService> service_;
  std::vector<Caller> callers_;
  std::optional<std::size_t> asking_;  // whose request is on its way through the door
  std::size_t tokens_ = 0;             // of runs, those on the callers' threads left out
  std::set<float> failed_;             // values of runs that failed by chance
  std::set<float> rerun_;              // values of runs that failed: they are run again by themselves, later
  std::size_t shared_runs_ = 0;
  std::size_t padded_runs_ = 0;
  std::size_t overtakes_ = 0;  // runs that began before a request of a lower level that came earlier
  std::set<Code> codes_;
  std::string wrong_;
};

}  // namespace bascule::sim

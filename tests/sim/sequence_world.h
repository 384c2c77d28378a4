#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fake/fake_backend.h"
#include "catalog/catalog.h"
#include "content/model_settings.h"
#include "serving/inference_service.h"
#include "world.h"

namespace bascule::sim {

// A server without sockets with one model of sequences, on one thread and out of one seed: sequences that
// begin, end, go silent and begin again, callers that give up, a model that is loaded anew and fails.
// Thread-safety: external (one thread).
class SequenceWorld {
 public:
  SequenceWorld(std::uint64_t seed, serving::SequenceSabotage sabotage);
  // What was wrong first; empty: nothing.
  std::string run();
  [[nodiscard]] std::size_t shared_runs() const { return shared_runs_; }
  [[nodiscard]] std::size_t steps_run() const { return steps_run_; }
  [[nodiscard]] std::size_t waits_for_a_slot() const { return waits_for_a_slot_; }
  [[nodiscard]] std::size_t stale() const { return stale_; }
  [[nodiscard]] const std::set<Code>& codes() const { return codes_; }

 private:
  using Outputs = std::vector<tensor::NamedTensor>;

  // One request and what became of it.
  struct Step {
    std::uint64_t id = 0;
    bool start = false;
    bool end = false;
    TimePoint arrives;
    std::optional<TimePoint> ends;
    std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
    bool must_be_refused = false;  // its sequence was silent for too long
    bool must_be_let_in = false;   // its sequence is under way, and nothing else of it
    bool was_run = false;
    bool failed = false;  // a run that it was in
    int answers = 0;
  };
  // A sequence as the model and the callers see it.
  struct Sequence {
    bool live = false;              // a START was run, and no END since
    bool running = false;           // a request of it
    bool unsure = false;            // a START was refused: whether the one before it goes on is not told
    std::size_t refused_start = 0;  // the newest
    std::size_t pending = 0;        // requests without an answer
    std::size_t last_run = 0;       // the newest request that was run
    float kept = -1;                // what the model left last, as it is owed at the next request
    TimePoint last_answer;          // that the model gave
    TimePoint last_touched;         // or that another was refused: it is idle since then at the latest
  };

  void wrong(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }
  void complain(std::size_t number, std::string_view what);
  void load();
  void plan();
  void ask(std::size_t number);
  Result<Outputs> engine(std::span<const tensor::NamedTensor> inputs, Duration took, bool fails);
  void begin_row(std::size_t number, std::span<const tensor::NamedTensor> inputs, std::size_t row);
  void check_slots(std::size_t number);
  [[nodiscard]] bool holds_slot(const Sequence& sequence) const;
  void answered(std::size_t number, const Result<content::InferResponse>& answer);
  void refused(std::size_t number, const Error& error);

  World world_;
  const serving::SequenceSabotage sabotage_;
  content::ModelSettings settings_;
  std::size_t max_batch_ = 1;
  std::size_t slots_ = 1;
  backend::FakeBackend backend_;
  catalog::Catalog catalog_{""};
  metrics::Metrics metrics_;
  std::optional<serving::InferenceService> service_;
  std::vector<Step> steps_;  // number 1 is the first
  std::map<std::uint64_t, Sequence> sequences_;
  std::size_t shared_runs_ = 0;
  std::size_t steps_run_ = 0;
  std::size_t waits_for_a_slot_ = 0;
  std::size_t stale_ = 0;
  std::set<Code> codes_;
  std::string wrong_;
};

}  // namespace bascule::sim

#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "content/infer.h"
#include "metrics/metrics.h"

namespace bascule::serving {

// How many requests are at each step of one ensemble. One that finds a step full waits there, in order.
// Thread-safety: thread-safe.
class EnsembleGate {
 public:
  using Work = std::move_only_function<void()>;

  EnsembleGate(std::size_t steps, std::size_t limit, Executor& executor);
  // Calls `work` now, or, on the executor, once another request has left the step.
  void enter(std::size_t step, Work work);
  void leave(std::size_t step);
  // Of the whole ensemble: false where `limit` requests are under way; 0: no limit.
  [[nodiscard]] bool begin(std::size_t limit);
  void end() { under_way_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  struct Step {
    std::size_t inside = 0;
    std::deque<Work> waiting;
  };
  const std::size_t limit_;
  Executor& executor_;
  std::atomic<std::size_t> under_way_ = 0;
  Guarded<std::vector<Step>> steps_;
};

// Runs requests through the models that ensembles are made of: each step is a request of its own through the
// single door, sent as soon as what it needs is there, so that it shares runs with others and is counted as
// they are. Tensors go from answer to request as they are. The first step that fails ends the request.
// Thread-safety: thread-safe.
class Ensembles {
 public:
  using Sink = std::move_only_function<void(Result<content::InferResponse> answer, bool last)>;
  static constexpr int kMaxDepth = 8;  // of ensembles in ensembles
  using Door = std::function<void(content::InferRequest request, Sink sink)>;

  // All outlive it, and all requests.
  Ensembles(Door door, Executor& executor, const Clock& clock, metrics::Metrics& metrics)
      : door_(std::move(door)), executor_(executor), clock_(clock), metrics_(metrics) {}

  // Precondition: `model` has an ensemble. Answers once. Errors: of check_inputs and check_outputs;
  // kInvalidArgument where ensembles go through each other without end; kResourceExhausted with kQueueFull
  // beyond the model's max_queue_size; of each step, with its number and model before them.
  void infer(const catalog::Handle& model, content::InferRequest request, Sink sink);

 private:
  class Run;
  class CropRun;
  friend class Run;
  friend class CropRun;

  std::shared_ptr<EnsembleGate> gate_of(const catalog::LoadedModel& model);
  // Asks the door, and keeps the books of the step: an answer's `steps` is this one.
  void ask(content::InferRequest request, std::move_only_function<void(Result<content::InferResponse>)> then);

  const Door door_;
  Executor& executor_;
  const Clock& clock_;
  metrics::Metrics& metrics_;
  // By the model's address; one that has gone is told by its weak pointer.
  using Gates = std::map<const void*,
                         std::pair<std::weak_ptr<const content::ModelInfo>, std::shared_ptr<EnsembleGate>>>;
  Guarded<Gates> gates_;
};

}  // namespace bascule::serving

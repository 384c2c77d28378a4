#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/timer.h"
#include "batching/answer_order.h"
#include "batching/batcher.h"
#include "catalog/catalog.h"
#include "content/infer.h"
#include "metrics/metrics.h"
#include "serving/ensembles.h"
#include "serving/inline_policy.h"
#include "serving/model_runner.h"
#include "serving/parking.h"
#include "serving/sequences.h"

namespace bascule::serving {

struct InferenceOptions {
  // A tensor request whose run is expected to stay below this runs on the calling thread; 0: none does.
  Duration inline_run = std::chrono::microseconds(200);
  // Runs below this do not wait for longer ones of other models (Executor::post_brief); 0: all do.
  Duration brief_run = kBrief;
  // Requests that may wait for one model to be loaded; 0: no limit.
  std::size_t max_parked = 1000;
  batching::Sabotage sabotage = batching::Sabotage::kNone;
  catalog::Sabotage lifecycle_sabotage = catalog::Sabotage::kNone;
  SequenceSabotage sequence_sabotage = SequenceSabotage::kNone;
};

// What drives the service. All outlive it, except that the timer may be stopped, and the executor drained,
// before the service goes.
struct Runtime {
  Executor& executor;
  Timer& timer;
  const Clock& clock;
  metrics::Metrics& metrics;
  Executor* background = nullptr;       // for long work that nobody waits for; null: such is not done
  catalog::Manager* manager = nullptr;  // loads models that load on use; null: requests do not wait for one
};

// The single door: every front end asks through it. Pictures are planned from their header and refused before
// any work is queued. What is let in waits in its model's queue (batching/batcher.h) and is prepared, run and
// finished on the executor, together with what fits. A run takes a CPU token for each thread that the model's
// settings give it, and more where nothing else wants them (catalog/wide_runs.h); instances are as many as
// they say, or as the tokens are enough for. Thread-safety: thread-safe.
class InferenceService {
 public:
  // Called once or more; `last` with the final answer. On the caller's thread, one of the executor's, or the
  // timer's.
  using Sink = std::move_only_function<void(Result<content::InferResponse> answer, bool last)>;

  // `catalog` outlives the service.
  InferenceService(const catalog::Catalog& catalog, Runtime runtime, InferenceOptions options);

  // Answers through `sink`, exactly once with `last`.
  // Errors: of Catalog::pin, Parking::wait, add_controls, Sequences::submit, backend::check_inputs and
  // check_outputs, Task::plan and prepare, Executable::run; of Batcher::submit.
  void infer(content::InferRequest request, Sink sink);

  // Why a request for this model would be refused now for the length of its queue, whatever it holds; nothing
  // where it would not, or where something else is wrong with it. A front end asks before it reads a body.
  [[nodiscard]] std::optional<Error> would_refuse(std::string_view model, std::string_view version,
                                                  content::Kind kind) const;

  // Calls `go` once the model serves, or will not: at once, unless it loads on use and is not loaded. For who
  // has to know the model before there is a request.
  void await(std::string_view model, std::string_view version, std::optional<TimePoint> deadline,
             Parking::Go go);

  // Waits for the answer: for the CLI. Not to be called on a thread of the executor.
  Result<content::InferResponse> infer_and_wait(content::InferRequest request);

  // What the sequences of all models keep.
  [[nodiscard]] std::uint64_t kept_bytes() const;

  // How many requests wait, by model and version.
  [[nodiscard]] std::vector<std::pair<std::shared_ptr<const content::ModelInfo>, std::size_t>> waiting()
      const;

 private:
  struct Ask;
  struct Queue {
    std::weak_ptr<const catalog::LoadedModel> model;
    std::shared_ptr<batching::Batcher> batcher;
    // InferRequest::caller of the last request that could share a run: whether there is anyone to share with.
    std::atomic<std::uint64_t> last_caller = 0;
    std::shared_ptr<batching::AnswerOrder> order;  // where the model's answers keep the order of its requests
  };
  // By the model's address, which is taken again only by a model whose predecessor has gone: the weak pointer
  // tells.
  using Queues = std::unordered_map<const catalog::LoadedModel*, std::shared_ptr<Queue>>;

  // By name and version, so that a model that is loaded anew goes on with its sequences.
  using SequenceTable = std::map<std::pair<std::string, std::string>, std::shared_ptr<Sequences>>;

  // `woken`: on the loader, after a wait for the model.
  void begin(catalog::Handle model, content::InferRequest request, Sink sink, bool woken);
  void park(const std::string& loads, content::InferRequest request, Sink sink);
  void infer_tensors(std::unique_ptr<Ask> ask);
  void infer_picture(std::unique_ptr<Ask> ask);
  void infer_rows(std::unique_ptr<Ask> ask);
  bool ran_here(Ask& ask);
  void submit(std::unique_ptr<Ask> ask);
  void submit_step(std::unique_ptr<Ask> ask);
  void begin_step(std::unique_ptr<Ask> ask);
  void end_step(Ask& ask);
  std::shared_ptr<Sequences> sequences_of(const content::ModelInfo& model);
  std::shared_ptr<Queue> queue_of(const catalog::Handle& model);
  std::shared_ptr<batching::Batcher> make_queue(const catalog::LoadedModel& model);
  // False: it was a wide run.
  bool run(batching::Batch batch);

  const catalog::Catalog& catalog_;
  const Runtime runtime_;
  const InferenceOptions options_;
  ModelRunner runner_;
  Ensembles ensembles_;
  Guarded<Queues> queues_;
  Guarded<SequenceTable> sequences_;  // behind the queues, so that it goes before them: it sends on to them
  std::shared_ptr<Parking> parking_;  // null without a manager
};

}  // namespace bascule::serving

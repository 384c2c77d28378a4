#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "content/infer.h"
#include "tasks/task.h"

namespace bascule::serving {

struct InferenceOptions {
  // A tensor request whose run is expected to stay below this runs on the calling thread; 0: none does.
  Duration inline_run = std::chrono::microseconds(200);
};

// The single door: every front end asks through it. Pictures are planned from their header and refused before
// any work is queued; what is accepted runs as one piece of work on the executor: prepare, run, finish.
// Thread-safety: thread-safe.
class InferenceService {
 public:
  // Called once or more; `last` with the final answer. On the caller's thread, or on one of the executor's.
  using Sink = std::move_only_function<void(Result<content::InferResponse> answer, bool last)>;

  // `catalog`, `executor` and `clock` outlive the service; the executor is drained before the service goes.
  InferenceService(const catalog::Catalog& catalog, Executor& executor, const Clock& clock,
                   InferenceOptions options);

  // Answers through `sink`, exactly once with `last`.
  // Errors: of Catalog::pin, backend::check_inputs and check_outputs, Task::plan and prepare,
  // Executable::run; kResourceExhausted with kQueueFull when the executor's queue is full.
  void infer(content::InferRequest request, Sink sink);

  // Waits for the answer: for the CLI. Not to be called on a thread of the executor.
  Result<content::InferResponse> infer_and_wait(content::InferRequest request);

 private:
  struct Job;
  // What a worker keeps between requests: decoded pixels, scratch, and the input slot of the last picture.
  struct Workspace {
    tasks::Scratch scratch;
    tensor::MutableTensor slot;
  };
  using Answer = Result<content::InferResponse>;

  void infer_tensors(std::shared_ptr<Job> job);
  void infer_picture(std::shared_ptr<Job> job);
  void post(std::shared_ptr<Job> job, Answer (InferenceService::*work)(Job&));
  Answer run_tensors(Job& job);
  Answer run_picture(Job& job);
  Answer answer_of(Job& job, std::vector<tensor::NamedTensor> outputs) const;
  std::unique_ptr<Workspace> take_workspace();

  const catalog::Catalog& catalog_;
  Executor& executor_;
  const Clock& clock_;
  const InferenceOptions options_;
  Guarded<std::vector<std::unique_ptr<Workspace>>> workspaces_;  // at most as many as ever ran at once
};

}  // namespace bascule::serving

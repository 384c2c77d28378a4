#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "batching/sabotage.h"
#include "catalog/catalog.h"
#include "content/infer.h"
#include "tasks/task.h"

namespace bascule::serving {

// One request of a run: what was asked, and the answer once it is there.
// Thread-safety: external (one owner).
struct RunPart {
  content::InferRequest request;
  tasks::Plan plan;  // with a picture
  content::Stages stages;
  Result<content::InferResponse> answer = Error{};  // until it was run
  bool wide = false;                                // it had more threads than runs usually have
};

// Runs a model for one request or several that fit together: pictures of equal planned shapes, or tensors
// with equal join keys. A run of a model with a fixed batch is filled up with zeros. A run beside which
// nothing else runs or waits on the executor is a wide one, where the model has such. Thread-safety:
// thread-safe.
class ModelRunner {
 public:
  // `background`: where models are loaded once more for wide runs; null: there are none. All outlive the
  // runner.
  ModelRunner(Executor& executor, Executor* background, const Clock& clock, batching::Sabotage sabotage)
      : executor_(executor), background_(background), clock_(clock), sabotage_(sabotage) {}

  // Sets the answer of every part. Where a shared run fails, each part is run alone, so that only the one to
  // blame is refused.
  void run(const catalog::LoadedModel& model, std::span<RunPart* const> parts);

 private:
  using Parts = std::span<RunPart* const>;
  // What a worker keeps between runs: decoded pixels, scratch, and the input slot of the last pictures.
  struct Workspace {
    tasks::Scratch scratch;
    tensor::MutableTensor slot;
  };

  Result<std::vector<tensor::NamedTensor>> compute(const catalog::LoadedModel& model, Parts parts,
                                                   std::span<const tensor::NamedTensor> inputs,
                                                   std::span<const std::string> outputs);
  void run_tensors(const catalog::LoadedModel& model, Parts parts);
  void run_pictures(const catalog::LoadedModel& model, Parts parts, Workspace& space);
  void run_lone_tensors(const catalog::LoadedModel& model, RunPart& part);
  Result<void> run_joined_tensors(const catalog::LoadedModel& model, Parts parts);
  std::vector<RunPart*> prepare(const catalog::LoadedModel& model, Parts parts, Workspace& space);
  Result<std::vector<tensor::NamedTensor>> run_slot(const catalog::LoadedModel& model, Workspace& space,
                                                    Parts parts);
  std::unique_ptr<Workspace> take_workspace();

  Executor& executor_;
  Executor* const background_;
  const Clock& clock_;
  const batching::Sabotage sabotage_;
  Guarded<std::vector<std::unique_ptr<Workspace>>> workspaces_;  // at most as many as ever ran at once
};

}  // namespace bascule::serving

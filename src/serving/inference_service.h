#pragma once

#include <functional>

#include "base/clock.h"
#include "base/executor.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "content/infer.h"

namespace bascule::serving {

// The single door: every front end asks through it.
// Thread-safety: thread-safe.
class InferenceService {
 public:
  // Called once or more; `last` with the final answer. On the caller's thread, or on one of the executor's.
  using Sink = std::move_only_function<void(Result<content::InferResponse> answer, bool last)>;

  struct Options {
    Duration inline_run = std::chrono::microseconds(200);  // a tensor request to a model whose measured run
                                                           // is below this runs on the calling thread
  };

  InferenceService(const catalog::Catalog& catalog, Executor& executor, const Clock& clock, Options options)
      : catalog_(catalog), executor_(executor), clock_(clock), options_(options) {}

  // Answers through `sink`, exactly once with `last`. A request that is refused has cost no decoding.
  void infer(content::InferRequest request, Sink sink);
  // Waits for the answer: for the CLI and batch runs.
  Result<content::InferResponse> infer_and_wait(content::InferRequest request);

 private:
  const catalog::Catalog& catalog_;
  Executor& executor_;
  const Clock& clock_;
  const Options options_;
};

}  // namespace bascule::serving

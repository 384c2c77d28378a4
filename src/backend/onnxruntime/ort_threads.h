#pragma once

#include <onnxruntime_cxx_api.h>

#include "base/executor.h"

namespace bascule::backend::ort {

// Makes the threads of an engine's pool from one that was made early. Left to itself the engine makes them
// from the thread that loads the model, whose small share of the cores they would inherit for good.
// Thread-safety: thread-safe. Outlives every session that it was given to.
class ThreadMaker {
 public:
  ThreadMaker();

  // Of a session with those options all threads are made here.
  void make_threads_of(Ort::SessionOptions& options);

 private:
  static OrtCustomThreadHandle create(void* self, OrtThreadWorkerFn work, void* argument);
  static void join(OrtCustomThreadHandle handle);

  ThreadPool maker_;
};

}  // namespace bascule::backend::ort

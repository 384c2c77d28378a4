#include "backend/onnxruntime/ort_threads.h"

#include <future>
#include <memory>
#include <utility>

namespace bascule::backend::ort {

ThreadMaker::ThreadMaker() : maker_({.name = "engine-maker", .threads = 1}) {}

void ThreadMaker::make_threads_of(Ort::SessionOptions& options) {
  options.SetCustomCreateThreadFn(&ThreadMaker::create);
  options.SetCustomThreadCreationOptions(this);
  options.SetCustomJoinThreadFn(&ThreadMaker::join);
}

// A pool of one for each. The engine takes null as its failure to make a thread.
OrtCustomThreadHandle ThreadMaker::create(void* self, OrtThreadWorkerFn work, void* argument) {
  std::promise<ThreadPool*> promise;
  auto made = promise.get_future();
  const auto posted = static_cast<ThreadMaker*>(self)->maker_.post([work, argument, &promise] {
    try {
      auto thread =
          std::make_unique<ThreadPool>(ThreadPoolOptions{.name = "engine", .threads = 1, .computes = true});
      const auto begun = thread->post([work, argument] { work(argument); });
      promise.set_value(begun ? thread.release() : nullptr);
    } catch (...) {  // no thread to be had
      promise.set_value(nullptr);
    }
  });
  if (!posted) return nullptr;
  return reinterpret_cast<OrtCustomThreadHandle>(made.get());
}

void ThreadMaker::join(OrtCustomThreadHandle handle) {
  const std::unique_ptr<ThreadPool> thread(
      reinterpret_cast<ThreadPool*>(const_cast<OrtCustomHandleType*>(handle)));
}

}  // namespace bascule::backend::ort

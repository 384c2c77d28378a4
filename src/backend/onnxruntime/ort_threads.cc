#include "backend/onnxruntime/ort_threads.h"

#include <future>
#include <memory>
#include <thread>
#include <utility>

namespace bascule::backend::ort {

ThreadMaker::ThreadMaker() : maker_({.name = "engine-maker", .threads = 1}) {}

void ThreadMaker::make_threads_of(Ort::SessionOptions& options) {
  options.SetCustomCreateThreadFn(&ThreadMaker::create);
  options.SetCustomThreadCreationOptions(this);
  options.SetCustomJoinThreadFn(&ThreadMaker::join);
}

// The engine takes null as its failure to make a thread.
OrtCustomThreadHandle ThreadMaker::create(void* self, OrtThreadWorkerFn work, void* argument) {
  std::promise<std::jthread*> promise;
  auto made = promise.get_future();
  const auto posted = static_cast<ThreadMaker*>(self)->maker_.post([work, argument, &promise] {
    try {
      auto thread = std::make_unique<std::jthread>([work, argument] {
        set_thread_name("engine");
        work(argument);
      });
      promise.set_value(thread.release());
    } catch (...) {  // no thread to be had
      promise.set_value(nullptr);
    }
  });
  if (!posted) return nullptr;
  return reinterpret_cast<OrtCustomThreadHandle>(made.get());
}

void ThreadMaker::join(OrtCustomThreadHandle handle) {
  const std::unique_ptr<std::jthread> thread(
      reinterpret_cast<std::jthread*>(const_cast<OrtCustomHandleType*>(handle)));
}

}  // namespace bascule::backend::ort

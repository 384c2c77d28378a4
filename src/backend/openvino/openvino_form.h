#pragma once

// Private to this folder: a compiled model with its free requests.

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "backend/openvino/openvino_library.h"
#include "base/mutex.h"
#include "base/result.h"
#include "tensor/shape.h"

namespace bascule::backend::openvino {

inline constexpr const char* kDevice = "CPU";

// The library with the one object that everything in it hangs on.
// Thread-safety: immutable once its core is made.
struct Engine {
  std::shared_ptr<const Library> library;
  ov_core_t* core = nullptr;

  Engine() = default;
  ~Engine() {
    if (core != nullptr) library->core_free(core);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
};

struct RequestDeleter {
  const Library* library = nullptr;
  void operator()(ov_infer_request_t* request) const { library->infer_request_free(request); }
};
using Request = std::unique_ptr<ov_infer_request_t, RequestDeleter>;

struct CompiledDeleter {
  const Library* library = nullptr;
  void operator()(ov_compiled_model_t* model) const { library->compiled_model_free(model); }
};
using Compiled = std::unique_ptr<ov_compiled_model_t, CompiledDeleter>;

// A model as it was compiled: for every shape of its inputs, or for one alone.
// Thread-safety: thread-safe.
class Form {
 public:
  Form(std::shared_ptr<const Engine> engine, Compiled model)
      : engine_(std::move(engine)), model_(std::move(model)) {}

  [[nodiscard]] const Library& library() const { return *engine_->library; }
  [[nodiscard]] const ov_compiled_model_t* model() const { return model_.get(); }

  // A request that nobody else has. Errors: kInternal.
  [[nodiscard]] Result<Request> take_request() const;
  // For others. One that failed is not given back.
  void give_back(Request request) const;

 private:
  const std::shared_ptr<const Engine> engine_;
  const Compiled model_;
  mutable Guarded<std::vector<Request>> requests_;  // at most as many as ever ran at once
};

// What is compiled, and how.
// Thread-safety: a value; what it points to outlives it.
struct Compilation {
  std::filesystem::path path;  // as the library wants it
  std::vector<ov_property_t> properties;
};

// Errors: the library's own words, as kInvalidArgument.
[[nodiscard]] Result<std::unique_ptr<const Form>> compile(const std::shared_ptr<const Engine>& engine,
                                                          const Compilation& what);
// For this shape of the model's one input alone, with a request that is ready. Errors: likewise.
[[nodiscard]] Result<std::unique_ptr<const Form>> compile_for(const std::shared_ptr<const Engine>& engine,
                                                              const Compilation& what,
                                                              const tensor::Shape& shape);

// Whether each of `shapes` can be one of the model's one input. Errors: kInvalidArgument with a sentence that
// begins with the file's name.
[[nodiscard]] Result<void> check_shapes(const std::filesystem::path& file, const ModelSpec& spec,
                                        std::span<const tensor::Shape> shapes);

}  // namespace bascule::backend::openvino

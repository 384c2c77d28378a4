#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/result.h"
#include "content/infer.h"
#include "content/model_config.h"
#include "content/model_info.h"
#include "tasks/task.h"

namespace bascule::catalog {

// A model that was loaded and is to be run before it serves.
// Thread-safety: a value that refers to its parts.
struct ColdModel {
  const backend::Executable& executable;
  const tasks::Task* task = nullptr;  // null: tensors only
  const content::ModelInfo& info;
};

// Reads a sample request from a file: tensors, or a picture.
using SampleReader = std::function<Result<content::InferRequest>(const std::filesystem::path& file)>;

// What the first runs took.
// Thread-safety: a value.
struct Measured {
  // The slowest after the first; it stands for the 99th percentile. Never short before it was measured.
  Duration run = std::chrono::hours(1);
  Duration fastest = std::chrono::hours(1);
  std::size_t bytes = 0;  // of the inputs
};

// The smallest shape of an input that the model may run on: a batch of one, and the picture's own size.
[[nodiscard]] tensor::Shape warm_up_shape(const tensor::TensorSpec& spec, const content::ModelInfo& info);

// Runs the model on zeros of its smallest shapes. Errors: of Executable::run.
Result<Measured> run_on_zeros(const ColdModel& model, const Clock& clock);

// Runs every sample once from end to end, then measures with the first. Errors: of the first sample that
// cannot be read, does not fit the model or fails, with the file's name.
Result<Measured> run_on_samples(const ColdModel& model, const std::vector<std::filesystem::path>& files,
                                const SampleReader& read, const Clock& clock);

// Runs every request that a configuration declares for that, as often as it says, then measures with the
// first. `folder`: with the files of data that they name. Errors: of the first that does not fit the model or
// fails, with its name.
Result<Measured> run_on_requests(const ColdModel& model, const std::vector<content::WarmUpRequest>& requests,
                                 const std::filesystem::path& folder, const Clock& clock);

// Runs the model on these inputs until its time is known.
Result<Measured> measure(const backend::Executable& executable,
                         const std::vector<tensor::NamedTensor>& inputs, const Clock& clock);

}  // namespace bascule::catalog

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "content/model_info.h"
#include "content/model_settings.h"
#include "content/picture.h"
#include "content/prediction.h"
#include "image/bitmap.h"
#include "image/fit.h"
#include "image/letterbox.h"
#include "tasks/vision/masks.h"
#include "tasks/vision/nms.h"
#include "tensor/tensor.h"

namespace bascule::tasks {

// Memory that a worker keeps from one request to the next.
// Thread-safety: external (one thread at a time).
struct Scratch {
  image::Bitmap bitmap;
  image::LetterboxScratch letterbox;
  image::CropScratch crop;
  vision::NmsScratch nms;
  vision::MaskScratch mask;
};

// What a piece of content will become, decided from headers alone: nothing is decoded yet.
struct Plan {
  tensor::Shape input_shape;  // of the one input tensor, batch dimension 1 included
  image::Letterbox letterbox;
  content::PredictOptions options;
};

// What a model is for: turns content into the model's input and its output into content.
// Thread-safety: immutable, thread-safe.
class Task {
 public:
  virtual ~Task() = default;

  // "detect", …
  [[nodiscard]] virtual std::string_view name() const = 0;

  // Errors: kInvalidArgument for a picture or an option that cannot be served (a size a fixed model has not).
  virtual Result<Plan> plan(const content::EncodedPicture& picture,
                            const content::PredictOptions& options) const = 0;
  // Decodes, fits and normalises into `input`, a float slot of the plan's shape. Errors: kInvalidArgument for
  // damaged pictures.
  virtual Result<void> prepare(const content::EncodedPicture& picture, const Plan& plan, Scratch& scratch,
                               std::span<float> input) const = 0;
  // Makes the prediction out of the model's outputs for this one request. Errors: kInternal where the outputs
  // are not of the shape the task was made for.
  virtual Result<content::Prediction> finish(const Plan& plan, Scratch& scratch,
                                             std::span<const tensor::NamedTensor> outputs) const = 0;
};

struct TaskOptions {
  std::uint64_t max_pixels = 100'000'000;  // of a picture, height times width, read from its header
  int max_input_side = 2048;               // of a size asked for; a model's own may be larger
  content::LetterboxShape letterbox = content::LetterboxShape::kRect;  // where the model takes any size
};

// What was understood about a model file.
struct Understanding {
  content::ModelInfo info;           // all but name, version, backend and file are filled in
  std::shared_ptr<const Task> task;  // null: tensors only
};

// Reads the model's own words (names, shapes, metadata) and chooses its task. Never fails: a model that says
// nothing is served as tensors, and `info.facts` says why.
[[nodiscard]] Understanding understand(const backend::ModelSpec& spec, const TaskOptions& options);

}  // namespace bascule::tasks

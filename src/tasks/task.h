#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
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
  std::vector<float> planes;  // of pictures whose input is no three planes of floats
  vision::NmsScratch nms;
  vision::MaskScratch mask;
};

// What a piece of content will become, decided from headers alone: nothing is decoded yet.
struct Plan {
  tensor::Shape input_shape;  // of the input that takes the picture, batch dimension 1 included
  tensor::DataType input_type = tensor::DataType::kFp32;
  std::string input;  // its name; empty: the model's first
  // What the model wants to be told beside the picture, batch dimension 1 included.
  std::vector<tensor::NamedTensor> beside;
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
  // Decodes what is encoded, fits and normalises into `input`, the bytes of a tensor of the plan's type and
  // shape, aligned for it. Errors: kInvalidArgument for damaged pictures.
  virtual Result<void> prepare(const content::EncodedPicture& picture, const Plan& plan, Scratch& scratch,
                               std::span<std::byte> input) const = 0;
  // Makes the prediction out of the model's outputs for this one request. Errors: kInternal where the outputs
  // are not of the shape the task was made for.
  virtual Result<content::Prediction> finish(const Plan& plan, Scratch& scratch,
                                             std::span<const tensor::NamedTensor> outputs) const = 0;
};

struct TaskOptions {
  std::uint64_t max_pixels = 100'000'000;  // of a picture, height times width, read from its header
  int max_input_side = 2048;               // of a size asked for; a model's own may be larger
  content::LetterboxShape letterbox = content::LetterboxShape::kRect;  // where the model takes any size
  content::DecodeMode decode = content::DecodeMode::kExact;
  content::ModelDescription description;  // in place of what the file says
};

// What was understood about a model file.
struct Understanding {
  content::ModelInfo info;           // all but name, version, backend and file are filled in
  std::shared_ptr<const Task> task;  // null: no pictures
  // What the description asks for and the model cannot be; a file's own words are no reason to fail.
  std::optional<Error> problem;
};

// Reads the model's own words (names, shapes, metadata), and before them those of the description, and
// chooses its task. A model of which nothing is known is served as tensors, and `info.facts` says why.
[[nodiscard]] Understanding understand(const backend::ModelSpec& spec, const TaskOptions& options);

// Settings that would let a model be served for what it seems to be, as a `model.yaml` to be filled in; empty
// where nothing more is needed, or nothing is known.
[[nodiscard]] std::string propose(const backend::ModelSpec& spec, const content::ModelInfo& info);

}  // namespace bascule::tasks

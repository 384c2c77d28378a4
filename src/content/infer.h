#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "content/model_info.h"
#include "content/picture.h"
#include "content/prediction.h"
#include "content/rows.h"
#include "content/sequence.h"
#include "tensor/tensor.h"

namespace bascule::content {

// What a request brings.
enum class Kind : std::uint8_t { kTensors, kPicture, kRows };

// One request, whatever the dialect: tensors, or content that the model's task turns into tensors.
// Thread-safety: a value; one owner at a time.
struct InferRequest {
  std::string model;    // empty: the default model, or the only one that fits
  std::string version;  // empty: the latest
  std::string id;
  std::string dialect;                      // label for metrics: "v2", "ultralytics", "cli"
  std::vector<tensor::NamedTensor> inputs;  // either these …
  std::optional<EncodedPicture> picture;    // … or this …
  std::optional<Table> rows;                // … or these
  PredictOptions options;                   // with a picture
  std::vector<std::string> outputs;         // names wanted; empty: all
  std::optional<TimePoint> deadline;        // it is not run once this is over
  std::uint64_t priority = 0;               // 1 is served first; 0: the model's default level
  std::optional<SequenceStep> sequence;     // only models of sequences look at it
  // Set once no one waits for the answer any more; may be null.
  std::shared_ptr<const std::atomic<bool>> cancelled;
  bool alone = false;        // shares no run: its answer depends on nothing that came beside it
  int depth = 0;             // ensembles that it has come through
  std::uint64_t caller = 0;  // equal for requests that cannot overlap (one connection's)
};

[[nodiscard]] inline Kind kind_of(const InferRequest& request) {
  if (request.picture) return Kind::kPicture;
  return request.rows ? Kind::kRows : Kind::kTensors;
}

// Where the time of one answer went.
struct Stages {
  Duration queue{};
  Duration prepare{};  // decode, letterbox, normalise
  Duration run{};      // the engine
  Duration finish{};   // tensors to content
  // Where the run was shared: the rows of all its requests, and whether this is the first of them.
  std::uint64_t shared_rows = 0;
  bool first_of_run = true;
  // When each of them began; TimePoint{}: there was none.
  struct Begun {
    TimePoint queue{};
    TimePoint prepare{};
    TimePoint run{};
    TimePoint finish{};
  };
  Begun begun;
};

// One model's part in the answer of an ensemble.
// Thread-safety: a value.
struct StepTimes {
  std::shared_ptr<const ModelInfo> model;
  TimePoint asked;
  TimePoint answered;
  Stages stages;
  std::vector<StepTimes> steps;  // of a step that is an ensemble itself
};

// One answer: the tensors asked for, or what the task made of them.
// Thread-safety: a value; one owner at a time.
struct InferResponse {
  std::shared_ptr<const ModelInfo> model;  // of the version that answered
  std::string id;
  std::vector<tensor::NamedTensor> outputs;
  std::optional<Prediction> prediction;
  std::optional<RowAnswers> rows;
  Stages stages;
  std::vector<StepTimes> steps;  // of an ensemble, in the order of their answers
};

}  // namespace bascule::content
